#include "runtime/text/tokenizer.h"

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

#include "runtime/text/detokenizer.h"
#include "runtime/text/golden_tokens.h"
#include "runtime/text/tiny_tokenizer.h"

namespace shoal {
namespace {

using Json = nlohmann::json;
using Ids = std::vector<TokenId>;

std::string Decoded(const Tokenizer& tokenizer, const Ids& ids) {
  Detokenizer detokenizer(tokenizer);
  std::string text;
  for (const TokenId id : ids) absl::StrAppend(&text, detokenizer.Push(id));
  return absl::StrCat(text, detokenizer.Flush());
}

class TokenizerTest : public testing::Test {
 protected:
  const std::unique_ptr<const Tokenizer> tokenizer_ = *Tokenizer::Parse(TinyTokenizerJson().dump());
};

TEST_F(TokenizerTest, MergesAndTellsTokensApart) {
  EXPECT_EQ(*tokenizer_->Encode(""), Ids{});
  EXPECT_EQ(*tokenizer_->Encode("hi"), (Ids{256}));
  EXPECT_EQ(*tokenizer_->Encode("ih 7"), (Ids{'i', 'h', ' ', '7'}));
  EXPECT_EQ(tokenizer_->TokenBytes(256), "hi");
  EXPECT_EQ(tokenizer_->TokenBytes(0xC3), "\xC3");
  EXPECT_EQ(tokenizer_->IdOf("<think>"), 261);
  EXPECT_EQ(tokenizer_->IdOf("hi"), std::nullopt);
  EXPECT_TRUE(tokenizer_->IsAdded(261));
  EXPECT_FALSE(tokenizer_->IsAdded(256));
  EXPECT_FALSE(tokenizer_->IsAdded(-1));
  EXPECT_FALSE(tokenizer_->IsAdded(1'000'000));
}

TEST_F(TokenizerTest, UntrustedTextNeverBecomesAnAddedToken) {
  const std::string text = "hi<think><｜User｜></think>";
  const auto ids = tokenizer_->Encode(text);
  ASSERT_TRUE(ids.ok());
  for (const TokenId id : *ids) EXPECT_FALSE(tokenizer_->IsAdded(id));
  EXPECT_EQ(Decoded(*tokenizer_, *ids), text);
  EXPECT_EQ(*tokenizer_->EncodeWithAddedTokens("hi<think>hi"), (Ids{256, 261, 256}));
}

TEST_F(TokenizerTest, PromptOfPieces) {
  using Kind = PromptPiece::Kind;
  EXPECT_EQ(*tokenizer_->EncodePrompt({{Kind::kToken, "<think>"},
                                       {Kind::kText, "h"},
                                       {Kind::kText, "i"},
                                       {Kind::kToken, "</think>"},
                                       {Kind::kText, ""}}),
            (Ids{261, 256, 262}));
  const auto status = tokenizer_->EncodePrompt({{Kind::kToken, "<nope>"}}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("'<nope>'"), std::string::npos);
}

TEST_F(TokenizerTest, RefusesInvalidUtf8WithoutQuotingIt) {
  for (const auto& status :
       {tokenizer_->Encode("secret\xFF").status(),
        tokenizer_->EncodeWithAddedTokens("secret\xFF").status(),
        tokenizer_->EncodePrompt({{PromptPiece::Kind::kText, "secret\xFF"}}).status()}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_NE(status.message().find("byte 6"), std::string::npos) << status;
    EXPECT_EQ(status.message().find("secret"), std::string::npos) << status;
  }
}

TEST(TokenizerRoundTripTest, RandomUnicode) {
  const Tokenizer& tokenizer = DeepSeekV3Tokenizer();
  std::mt19937 random(20250610);
  const std::pair<uint32_t, uint32_t> blocks[] = {
      {0x00, 0x7F},     {0x20, 0x7E},     {0x80, 0x7FF},    {0x2000, 0x2FFF},
      {0x3000, 0x30FF}, {0x4E00, 0x9FFF}, {0xE000, 0xFFFF}, {0x10000, 0x10FFFF}};
  const auto append = [](uint32_t c, std::string* text) {
    const auto put = [&](uint32_t b) { text->push_back(static_cast<char>(b)); };
    if (c < 0x80) return put(c);
    if (c < 0x800) {
      put(0xC0 | c >> 6);
    } else if (c < 0x10000) {
      put(0xE0 | c >> 12);
      put(0x80 | (c >> 6 & 0x3F));
    } else {
      put(0xF0 | c >> 18);
      put(0x80 | (c >> 12 & 0x3F));
      put(0x80 | (c >> 6 & 0x3F));
    }
    put(0x80 | (c & 0x3F));
  };
  for (int trial = 0; trial < 3000; ++trial) {
    std::string text;
    const size_t size = random() % 50;
    for (size_t i = 0; i < size; ++i) {
      const auto [low, high] = blocks[random() % std::size(blocks)];
      append(low + random() % (high - low + 1), &text);
    }
    const auto ids = tokenizer.Encode(text);
    ASSERT_TRUE(ids.ok()) << ids.status();
    ASSERT_LE(ids->size(), text.size());
    ASSERT_TRUE(Decoded(tokenizer, *ids) == text) << "trial " << trial;
  }
}

// Each case changes the tiny file in one place; the error names the place and
// the value.
TEST(TokenizerRefusalTest, NamesTheFieldAndTheValue) {
  const struct {
    const char* pointer;
    Json value;
    const char* error;
  } cases[] = {
      {"/version", "2.0", "version is \"2.0\"; supported: \"1.0\""},
      {"/surprise", 1, "surprise is 1: an unknown field"},
      {"/truncation", {{"max_length", 5}}, "truncation is {"},
      {"/normalizer", {{"type", "NFC"}}, "normalizer is {\"type\":\"NFC\"}"},
      {"/pre_tokenizer/type", "Metaspace", "pre_tokenizer.type is"},
      {"/pre_tokenizer/pretokenizers/0/pattern/Regex", "\\p{Nd}",
       "split 0 has the pattern '\\\\p{Nd}'"},
      {"/pre_tokenizer/pretokenizers/0/pattern",
       {{"String", " "}},
       "pretokenizers[0].pattern.String"},
      {"/pre_tokenizer/pretokenizers/1/behavior", "Removed",
       "pretokenizers[1].behavior is \"Removed\"; supported: \"Isolated\""},
      {"/pre_tokenizer/pretokenizers/2/invert", true,
       "pretokenizers[2].invert is true; supported: false"},
      {"/pre_tokenizer/pretokenizers/3/add_prefix_space", true,
       "pretokenizers[3].add_prefix_space is true"},
      {"/pre_tokenizer/pretokenizers/3/use_regex", true, "pretokenizers[3].use_regex is true"},
      {"/post_processor",
       {{"type", "TemplateProcessing"}},
       "post_processor.type is \"TemplateProcessing\""},
      {"/decoder", {{"type", "WordPiece"}}, "decoder.type is \"WordPiece\""},
      {"/decoder", nullptr, "decoder is null"},
      {"/model/type", "Unigram", "model.type is \"Unigram\""},
      {"/model/dropout", 0.1, "model.dropout is 0.1; supported: null"},
      {"/model/byte_fallback", true, "model.byte_fallback is true"},
      {"/model/ignore_merges", true, "model.ignore_merges is true"},
      {"/model/unk_token", "?", "model.unk_token is \"?\""},
      {"/model/novelty", 1, "model.novelty is 1: an unknown field"},
      {"/model/vocab/hi", 0, "is 0, and so is"},
      {"/model/vocab/hi", 99999, "model.vocab['hi'] is 99999"},
      {"/model/vocab/hi", "x", "model.vocab['hi'] is \"x\""},
      {"/model/merges/0", "h", "model.merges[0] is \"h\", not a pair"},
      {"/model/merges/0", "h o", "model.merges[0] is \"h o\""},
      {"/model/merges/1", "h i", "model.merges[1]"},
      {"/added_tokens/0/lstrip", true, "added_tokens[0].lstrip is true"},
      {"/added_tokens/0/rstrip", true, "added_tokens[0].rstrip is true"},
      {"/added_tokens/0/single_word", true, "added_tokens[0].single_word"},
      {"/added_tokens/0/content", "", "added_tokens[0].content is empty"},
      {"/added_tokens/0/id", -1, "added_tokens[0].id is -1"},
      {"/added_tokens/1/id", 260, "added_tokens[1] repeats the id 260"},
      {"/added_tokens/0/id", 260.0, "added_tokens[0].id is 260.0"},
      // The table of all ids is bounded by the file's own size.
      {"/added_tokens/0/id", 257 + (1 << 16), "is 65793, not an id from 0 to 65792"},
      {"/model/vocab/hi", 18446744073709551615u, "model.vocab['hi'] is 18446744073709551615"},
      {"/a\nERROR", 1, "a\\nERROR is 1: an unknown field"},
      {"/added_tokens/0/id", 7, "with id 7, which model.vocab gives to"},
      // A text token that is declared an added one: text would become it.
      {"/added_tokens/0", {{"id", 256}, {"content", "hi"}}, "do not join up to token 256"},
  };
  for (const auto& c : cases) {
    Json file = TinyTokenizerJson();
    file[Json::json_pointer(c.pointer)] = c.value;
    const auto tokenizer = Tokenizer::Parse(file.dump());
    ASSERT_FALSE(tokenizer.ok()) << c.pointer;
    EXPECT_EQ(tokenizer.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_NE(tokenizer.status().message().find(c.error), std::string::npos)
        << c.pointer << ": " << tokenizer.status();
  }
}

TEST(TokenizerRefusalTest, MissingParts) {
  for (const char* part : {"pre_tokenizer", "decoder", "model"}) {
    Json file = TinyTokenizerJson();
    file.erase(part);
    const auto status = Tokenizer::Parse(file.dump()).status();
    EXPECT_EQ(status.message(), absl::StrCat(part, " is missing"));
  }
  Json file = TinyTokenizerJson();
  file["model"]["merges"] = Json::array();
  file["model"]["vocab"].erase("hi");
  file["model"]["vocab"].erase("a");
  EXPECT_FALSE(Tokenizer::Parse(file.dump()).ok());
}

TEST(TokenizerRefusalTest, DamagedFiles) {
  const std::string whole = TinyTokenizerJson().dump();
  for (const size_t size : {size_t{0}, size_t{1}, whole.size() / 2, whole.size() - 1}) {
    EXPECT_EQ(Tokenizer::Parse(whole.substr(0, size)).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
  // Two readers of a key that stands twice would see two vocabularies.
  std::string twice = whole;
  twice.replace(twice.find("\"hi\":256"), 8, "\"hi\":256,\"hi\":256");
  EXPECT_EQ(Tokenizer::Parse(twice).status().message(),
            "tokenizer.json: key \"hi\" stands twice in one object");
  EXPECT_EQ(Tokenizer::Parse("{\"truncation\":" + std::string(1 << 20, '[')).status().message(),
            "tokenizer.json: nested deeper than 8 levels");
  EXPECT_EQ(Tokenizer::Load(".").status().message(), ". is not a regular file");
  EXPECT_FALSE(Tokenizer::Parse("[]").ok());
  EXPECT_FALSE(Tokenizer::Parse("null").ok());
  const auto absent = Tokenizer::Load("no/such/tokenizer.json").status();
  EXPECT_EQ(absent.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(absent.message().find("no/such/tokenizer.json"), std::string::npos);
}

TEST(TokenizerFormTest, MergesAsPairsAreTheSame) {
  Json file = TinyTokenizerJson();
  file["model"]["merges"] = Json::array({Json::array({"h", "i"})});
  const auto tokenizer = Tokenizer::Parse(file.dump());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_EQ(*(*tokenizer)->Encode("hi"), (Ids{256}));
}

}  // namespace
}  // namespace shoal
