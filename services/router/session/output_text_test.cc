#include "services/router/session/output_text.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace shoal {
namespace {

class OutputTextTest : public testing::Test {
 protected:
  OutputTextTest() {
    auto loaded = Tokenizer::Load("tools/nano/model/tokenizer.json");
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    tokenizer_ = *std::move(loaded);
  }

  std::vector<TokenId> Ids(const std::string& text) { return *tokenizer_->Encode(text); }
  TokenId Marker(const std::string& token) { return *tokenizer_->IdOf(token); }

  // All events of `ids`, and what was held back in the end.
  static std::vector<v1::GenerateEvent> EventsOf(OutputText text, const std::vector<TokenId>& ids) {
    std::vector<v1::GenerateEvent> events;
    for (const TokenId id : ids) text.Push(id, &events);
    text.Finish(&events);
    return events;
  }

  std::unique_ptr<const Tokenizer> tokenizer_;
};

TEST_F(OutputTextTest, ADeltaNamesTheIdsOfItsTextAndNoMarker) {
  const std::vector<TokenId> reasoning = Ids("12"), answer = Ids("936");
  std::vector<TokenId> ids = reasoning;
  ids.push_back(Marker("</think>"));
  for (const TokenId id : answer) ids.push_back(id);
  std::vector<TokenId> shown_reasoning, shown_answer;
  for (const auto& event : EventsOf(OutputText::Chat(*tokenizer_, true), ids)) {
    const auto& in_reasoning = event.reasoning_delta().token_ids();
    const auto& in_text = event.text_delta().token_ids();
    shown_reasoning.insert(shown_reasoning.end(), in_reasoning.begin(), in_reasoning.end());
    shown_answer.insert(shown_answer.end(), in_text.begin(), in_text.end());
  }
  EXPECT_EQ(shown_reasoning, reasoning);
  EXPECT_EQ(shown_answer, answer);
}

TEST_F(OutputTextTest, ATokenOfAToolCallIsInNoTextDelta) {
  std::vector<TokenId> ids = {Marker("<｜tool▁calls▁begin｜>"), Marker("<｜tool▁call▁begin｜>")};
  const auto append = [&](const std::vector<TokenId>& more) {
    ids.insert(ids.end(), more.begin(), more.end());
  };
  append(Ids("function"));
  append({Marker("<｜tool▁sep｜>")});
  append(Ids("f\n```json\n{}\n```"));
  append({Marker("<｜tool▁call▁end｜>"), Marker("<｜tool▁calls▁end｜>")});
  const std::vector<TokenId> after = Ids("7");
  append(after);
  int calls = 0;
  for (const auto& event : EventsOf(OutputText::Chat(*tokenizer_, false), ids)) {
    calls += event.tool_call_delta().name() == "f";
    if (!event.has_text_delta()) continue;
    const auto& shown = event.text_delta().token_ids();
    EXPECT_EQ(std::vector<TokenId>(shown.begin(), shown.end()), after);
  }
  EXPECT_EQ(calls, 1);
}

TEST_F(OutputTextTest, InPlainFormEveryIdIsShown) {
  const std::vector<TokenId> ids = Ids("1+é=");
  std::vector<TokenId> shown;
  std::string text;
  for (const auto& event : EventsOf(OutputText::Plain(*tokenizer_), ids)) {
    const auto& in_text = event.text_delta().token_ids();
    shown.insert(shown.end(), in_text.begin(), in_text.end());
    text += event.text_delta().text();
  }
  EXPECT_EQ(shown, ids);
  EXPECT_EQ(text, "1+é=");
}

}  // namespace
}  // namespace shoal
