#include "runtime/text/output_parser.h"

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "runtime/text/chat_tokens.h"
#include "runtime/text/golden_tokens.h"
#include "runtime/text/tiny_tokenizer.h"
#include "runtime/text/utf8.h"

namespace shoal {
namespace {

// What the events of an output add up to.
struct Parsed {
  std::string reasoning;
  std::string text;
  std::vector<std::string> names;
  std::vector<std::string> arguments;
  OutputSummary summary;
};

void Add(const OutputEvent& event, Parsed* parsed) {
  if (const auto* reasoning = std::get_if<ReasoningDelta>(&event)) {
    EXPECT_FALSE(reasoning->text.empty());
    EXPECT_TRUE(CheckUtf8(reasoning->text).ok());
    parsed->reasoning += reasoning->text;
  } else if (const auto* text = std::get_if<TextDelta>(&event)) {
    EXPECT_FALSE(text->text.empty());
    EXPECT_TRUE(CheckUtf8(text->text).ok());
    parsed->text += text->text;
  } else {
    const auto& call = std::get<ToolCallDelta>(event);
    EXPECT_NE(call.name.empty(), call.arguments.empty());
    EXPECT_TRUE(CheckUtf8(call.arguments).ok());
    if (!call.name.empty()) {
      parsed->names.push_back(call.name);
      parsed->arguments.push_back("");
    }
    ASSERT_EQ(call.index + 1, static_cast<int>(parsed->names.size()));
    parsed->arguments.back() += call.arguments;
  }
}

class OutputParserTest : public testing::Test {
 protected:
  // Ids of trusted text: markers are tokens, all else is a token per byte.
  std::vector<TokenId> Ids(const std::string& text) const {
    return *tokenizer_->EncodeWithAddedTokens(text);
  }

  Parsed Parse(const std::vector<TokenId>& ids, bool in_reasoning) const {
    OutputParser parser(*tokenizer_, in_reasoning);
    std::vector<OutputEvent> events;
    for (const TokenId id : ids) parser.Push(id, &events);
    parser.Finish(&events);
    Parsed parsed;
    for (const OutputEvent& event : events) Add(event, &parsed);
    parsed.summary = parser.summary();
    return parsed;
  }
  Parsed Parse(const std::string& text, bool in_reasoning) const {
    return Parse(Ids(text), in_reasoning);
  }

  const std::unique_ptr<const Tokenizer> tokenizer_ = *Tokenizer::Parse(TinyTokenizerJson().dump());
};

std::string Call(const std::string& name, const std::string& body) {
  return absl::StrCat(kCallBeginToken, "function", kCallSeparatorToken, name, body, kCallEndToken);
}

TEST_F(OutputParserTest, ReasoningThenText) {
  const Parsed r1 = Parse("347 + 589\n= 936\n</think>\n\n936\n", true);
  EXPECT_EQ(r1.reasoning, "347 + 589\n= 936");
  EXPECT_EQ(r1.text, "936\n");
  EXPECT_FALSE(r1.summary.reasoning_unclosed);

  const Parsed opened_by_model = Parse("<think>\nhm\n</think>\n\nyes", false);
  EXPECT_EQ(opened_by_model.reasoning, "hm");
  EXPECT_EQ(opened_by_model.text, "yes");
}

TEST_F(OutputParserTest, PlainTextIsUntouched) {
  const Parsed parsed = Parse("\n\n a \n\n", false);
  EXPECT_EQ(parsed.text, "\n\n a \n\n");
  EXPECT_EQ(parsed.reasoning, "");
}

TEST_F(OutputParserTest, ReasoningThatNeverEndsIsAllReasoning) {
  const Parsed parsed = Parse("hm, hm\n", true);
  EXPECT_EQ(parsed.reasoning, "hm, hm\n");
  EXPECT_EQ(parsed.text, "");
  EXPECT_TRUE(parsed.summary.reasoning_unclosed);
}

TEST_F(OutputParserTest, EmptyReasoning) {
  const Parsed parsed = Parse("\n</think>\n\nok", true);
  EXPECT_EQ(parsed.reasoning, "");
  EXPECT_EQ(parsed.text, "ok");
}

// The bug of others: parsers that look for the string.
TEST_F(OutputParserTest, SpelledOutMarkersAreText) {
  const std::string spelled = "the <think> and </think> tags";
  EXPECT_EQ(Parse(*tokenizer_->Encode(spelled), false).text, spelled);
  const Parsed reasoning = Parse(*tokenizer_->Encode(spelled), true);
  EXPECT_EQ(reasoning.reasoning, spelled);
  EXPECT_TRUE(reasoning.summary.reasoning_unclosed);
  const std::string call = Call("f", "\n```json\n{}\n```");
  EXPECT_EQ(Parse(*tokenizer_->Encode(call), false).text, call);
}

TEST_F(OutputParserTest, AddedTokensNeverEnterContent) {
  const Parsed parsed = Parse("a<｜User｜>b<think>c</think>d<｜tool▁sep｜>e", false);
  EXPECT_EQ(parsed.text, "abcde");
  EXPECT_EQ(parsed.summary.stray_markers, 3);
  const Parsed reasoning = Parse("a<｜tool▁calls▁begin｜>b</think>c", true);
  EXPECT_EQ(reasoning.reasoning, "ab");
  EXPECT_EQ(reasoning.text, "c");
}

TEST_F(OutputParserTest, ToolCallsInBothStockForms) {
  const std::string one = absl::StrCat("Let me see.\n", kCallsBeginToken,
                                       Call("get", "\n```json\n{\"a\": \"b\\n```\"}\n```"));
  for (const std::string& end : {std::string(), std::string(kCallsEndToken)}) {
    const Parsed parsed = Parse(one + end, false);
    EXPECT_EQ(parsed.text, "Let me see.");
    EXPECT_EQ(parsed.names, (std::vector<std::string>{"get"}));
    EXPECT_EQ(parsed.arguments, (std::vector<std::string>{"{\"a\": \"b\\n```\"}"}));
    EXPECT_EQ(parsed.summary.tool_calls, 1);
    EXPECT_FALSE(parsed.summary.tool_call_unclosed);
  }
  const Parsed two =
      Parse(absl::StrCat("</think>", kCallsBeginToken, Call("f", "\n```json\n{}\n```"), "\n",
                         Call("g", "\n```json\n[1,\n 2]\n```"), kCallsEndToken),
            true);
  EXPECT_EQ(two.names, (std::vector<std::string>{"f", "g"}));
  EXPECT_EQ(two.arguments, (std::vector<std::string>{"{}", "[1,\n 2]"}));
  EXPECT_EQ(two.text, "");
}

TEST_F(OutputParserTest, FencesAsModelsWriteThem) {
  const struct {
    const char* body;
    const char* arguments;
  } cases[] = {
      {"\n```json\n{}\n```", "{}"},
      {"\n```json{}```", "{}"},
      {"\n```\n{}\n```\n", "{}"},
      {"\n{}", "{}"},
      {"\n\n```json\n\n{}", "\n{}"},
      {"\n{\"a\": 1}\n", "{\"a\": 1}"},
      {"\n```json\n`x`\n```", "`x`"},
      {"", ""},
      {"\n", ""},
      {"\n```json\n```", ""},
      {"\n`", ""},
  };
  for (const auto& c : cases) {
    const Parsed parsed = Parse(absl::StrCat(kCallsBeginToken, Call(" f ", c.body)), false);
    EXPECT_EQ(parsed.names, (std::vector<std::string>{"f"})) << c.body;
    EXPECT_EQ(parsed.arguments, (std::vector<std::string>{c.arguments})) << c.body;
  }
}

TEST_F(OutputParserTest, CallsThatAreCutOffOrMalformed) {
  const std::string whole =
      absl::StrCat(kCallsBeginToken, Call("get", "\n```json\n{\"a\": 1}\n```"));
  const std::vector<TokenId> ids = Ids(whole);
  // Wherever the output stops, what came out is a beginning of the whole.
  for (size_t n = 0; n < ids.size(); ++n) {
    const std::vector<TokenId> first(ids.begin(), ids.begin() + n);
    const Parsed cut = Parse(first, false);
    EXPECT_EQ(cut.text, "");
    if (cut.names.empty()) continue;
    EXPECT_EQ(std::string("get").find(cut.names[0]), 0u);
    EXPECT_EQ(std::string("{\"a\": 1}").find(cut.arguments[0]), 0u) << n;
    EXPECT_TRUE(cut.summary.tool_call_unclosed);
  }
  const Parsed nameless =
      Parse(absl::StrCat(kCallsBeginToken, kCallBeginToken, "x", kCallEndToken, Call("f", "\n{}")),
            false);
  EXPECT_EQ(nameless.summary.malformed_tool_calls, 1);
  EXPECT_EQ(nameless.names, (std::vector<std::string>{"f"}));
  // An end marker is missing between two calls.
  const Parsed run_on = Parse(absl::StrCat(kCallsBeginToken, kCallBeginToken, "function",
                                           kCallSeparatorToken, "f\n{}", Call("g", "\n{}")),
                              false);
  EXPECT_EQ(run_on.names, (std::vector<std::string>{"f", "g"}));
}

TEST_F(OutputParserTest, TextAmongAndBehindCallsIsNotLost) {
  const Parsed parsed = Parse(absl::StrCat(kCallsBeginToken, Call("f", "\n{}"), "\n note \n",
                                           Call("g", "\n{}"), kCallsEndToken, "\nbye\n"),
                              false);
  EXPECT_EQ(parsed.text, "notebye\n");
  EXPECT_EQ(parsed.names.size(), 2u);
}

TEST_F(OutputParserTest, CharactersDoNotStraddleAMarker) {
  std::vector<TokenId> ids = {0xE6, 0xB0};
  ids.push_back(*tokenizer_->IdOf(kEndOfThinkToken));
  ids.push_back(0xB4);
  ids.push_back(0xC3);
  const Parsed parsed = Parse(ids, true);
  EXPECT_EQ(parsed.reasoning, "\uFFFD");
  EXPECT_EQ(parsed.text, "\uFFFD\uFFFD");
}

TEST_F(OutputParserTest, StreamsWithoutWaiting) {
  OutputParser parser(*tokenizer_, /*in_reasoning=*/false);
  std::vector<OutputEvent> events;
  for (const TokenId id : Ids("ab")) parser.Push(id, &events);
  EXPECT_EQ(events, (std::vector<OutputEvent>{TextDelta{"a"}, TextDelta{"b"}}));
  events.clear();
  for (const TokenId id : Ids(absl::StrCat(kCallsBeginToken, kCallBeginToken, "function",
                                           kCallSeparatorToken, "f\n```json\n{\"a"))) {
    parser.Push(id, &events);
  }
  EXPECT_EQ(events,
            (std::vector<OutputEvent>{ToolCallDelta{0, "f", ""}, ToolCallDelta{0, "", "{"},
                                      ToolCallDelta{0, "", "\""}, ToolCallDelta{0, "", "a"}}));
}

TEST(OutputParserRealTokensTest, R1Answer) {
  const Tokenizer& tokenizer = DeepSeekR1Tokenizer();
  const auto ids = tokenizer.EncodeWithAddedTokens(
      "Okay, 347 + 589 is 936. 好的🙂\n</think>\n\n**936** 🙂"
      "<｜end▁of▁sentence｜>");
  ASSERT_TRUE(ids.ok());
  OutputParser parser(tokenizer, /*in_reasoning=*/true);
  std::vector<OutputEvent> events;
  for (const TokenId id : *ids) parser.Push(id, &events);
  parser.Finish(&events);
  Parsed parsed;
  for (const OutputEvent& event : events) Add(event, &parsed);
  EXPECT_EQ(parsed.reasoning, "Okay, 347 + 589 is 936. 好的🙂");
  EXPECT_EQ(parsed.text, "**936** 🙂");
  EXPECT_EQ(parser.summary().stray_markers, 0);
}

}  // namespace
}  // namespace shoal
