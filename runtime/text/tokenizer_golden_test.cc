// Ids equal to those of Hugging Face's tokenizers library, on the real
// DeepSeek-V3 tokenizer.json.

#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

#include "runtime/text/detokenizer.h"
#include "runtime/text/golden_tokens.h"
#include "runtime/text/tokenizer.h"

namespace shoal {
namespace {

using Json = nlohmann::json;

std::vector<Json> Goldens() {
  std::istringstream lines(TestData("token_goldens.jsonl"));
  std::vector<Json> goldens;
  std::string line;
  while (std::getline(lines, line)) goldens.push_back(Json::parse(line));
  return goldens;
}

Json Digest(const std::vector<TokenId>& ids) { return Json::array({ids.size(), IdDigest(ids)}); }

TEST(TokenizerGoldenTest, IdsEqualHuggingFace) {
  const std::vector<Json> goldens = Goldens();
  ASSERT_GE(goldens.size(), 500u);
  int differences = 0;
  for (size_t i = 0; i < goldens.size(); ++i) {
    const auto text = goldens[i]["text"].get<std::string>();
    const auto ids = DeepSeekV3Tokenizer().Encode(text);
    ASSERT_TRUE(ids.ok()) << ids.status();
    if (Digest(*ids) == goldens[i]["ids"]) continue;
    if (++differences > 5) continue;
    ADD_FAILURE() << "line " << i + 1 << ", " << goldens[i]["kind"] << ": " << Digest(*ids)
                  << " instead of " << goldens[i]["ids"];
  }
  EXPECT_EQ(differences, 0);
}

TEST(TokenizerGoldenTest, IdsWithAddedTokensEqualHuggingFace) {
  int with_added_tokens = 0;
  for (const Json& golden : Goldens()) {
    const auto text = golden["text"].get<std::string>();
    const auto ids = DeepSeekV3Tokenizer().EncodeWithAddedTokens(text);
    ASSERT_TRUE(ids.ok()) << ids.status();
    EXPECT_EQ(Digest(*ids), golden["added"]) << golden["kind"];
    if (golden["added"] != golden["ids"]) ++with_added_tokens;
  }
  // The corpus forges markers: or else this test and the one above are one.
  EXPECT_GE(with_added_tokens, 20);
}

TEST(TokenizerGoldenTest, DecodingGivesTheTextBack) {
  for (const Json& golden : Goldens()) {
    const auto text = golden["text"].get<std::string>();
    for (const auto& ids :
         {DeepSeekV3Tokenizer().Encode(text), DeepSeekV3Tokenizer().EncodeWithAddedTokens(text)}) {
      ASSERT_TRUE(ids.ok());
      Detokenizer detokenizer(DeepSeekV3Tokenizer());
      std::string decoded;
      for (const TokenId id : *ids) absl::StrAppend(&decoded, detokenizer.Push(id));
      EXPECT_EQ(detokenizer.Flush(), "");
      EXPECT_TRUE(decoded == text) << golden["kind"];
    }
  }
}

TEST(TokenizerGoldenTest, FactsOfTheFile) {
  const Tokenizer& tokenizer = DeepSeekV3Tokenizer();
  EXPECT_EQ(tokenizer.vocab_size(), 128815u);
  EXPECT_EQ(tokenizer.IdOf("<｜begin▁of▁sentence｜>"), 0);
  EXPECT_EQ(tokenizer.IdOf("<｜end▁of▁sentence｜>"), 1);
  EXPECT_EQ(tokenizer.IdOf("<｜User｜>"), 128803);
  EXPECT_EQ(tokenizer.IdOf("<｜tool▁sep｜>"), 128814);
  EXPECT_EQ(tokenizer.IdOf("<think>"), std::nullopt);
  EXPECT_EQ(DeepSeekR1Tokenizer().IdOf("<think>"), 128798);
  EXPECT_EQ(DeepSeekR1Tokenizer().IdOf("</think>"), 128799);
  EXPECT_EQ(tokenizer.TokenBytes(128803), "<｜User｜>");
  EXPECT_EQ(tokenizer.TokenBytes(128815), "");
  EXPECT_EQ(tokenizer.TokenBytes(-1), "");
  EXPECT_EQ(tokenizer.digest().size(), 64u);
  EXPECT_NE(tokenizer.digest(), DeepSeekR1Tokenizer().digest());
}

}  // namespace
}  // namespace shoal
