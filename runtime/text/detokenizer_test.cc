#include "runtime/text/detokenizer.h"

#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

#include "runtime/text/golden_tokens.h"
#include "runtime/text/tiny_tokenizer.h"
#include "runtime/text/utf8.h"

namespace shoal {
namespace {

using Json = nlohmann::json;

TEST(DetokenizerTest, RandomIdsEqualHuggingFace) {
  std::istringstream lines(TestData("decode_goldens.jsonl"));
  std::string line;
  int replaced = 0;
  int count = 0;
  while (std::getline(lines, line)) {
    const Json golden = Json::parse(line);
    Detokenizer detokenizer(DeepSeekV3Tokenizer());
    std::string text;
    for (const TokenId id : golden["ids"]) {
      const std::string delta = detokenizer.Push(id);
      EXPECT_TRUE(CheckUtf8(delta).ok());
      absl::StrAppend(&text, delta);
    }
    absl::StrAppend(&text, detokenizer.Flush());
    EXPECT_EQ(text, golden["text"]) << golden["ids"];
    // All at once is the same.
    const auto ids = golden["ids"].get<std::vector<TokenId>>();
    std::string at_once;
    detokenizer.Push(ids, &at_once);
    EXPECT_EQ(at_once + detokenizer.Flush(), text);
    if (text.find("\uFFFD") != std::string::npos) ++replaced;
    ++count;
  }
  EXPECT_EQ(count, 200);
  EXPECT_GE(replaced, 50);  // or else the corpus misses the point
}

TEST(DetokenizerTest, HoldsBackAnIncompleteCharacter) {
  const auto tokenizer = *Tokenizer::Parse(TinyTokenizerJson().dump());
  Detokenizer detokenizer(*tokenizer);
  EXPECT_EQ(detokenizer.Push(0xF0), "");
  EXPECT_EQ(detokenizer.Push(0x9F), "");
  EXPECT_EQ(detokenizer.Push(0x99), "");
  EXPECT_EQ(detokenizer.Push(0x82), "🙂");
  EXPECT_EQ(detokenizer.Flush(), "");
  EXPECT_EQ(detokenizer.Push(0xE6), "");
  EXPECT_EQ(detokenizer.Push('a'),
            "\uFFFD"
            "a");
  EXPECT_EQ(detokenizer.Push(0xE6), "");
  EXPECT_EQ(detokenizer.Flush(), "\uFFFD");
  EXPECT_EQ(detokenizer.Flush(), "");
}

TEST(DetokenizerTest, AddedTokensAndIdsThatAreNone) {
  const auto tokenizer = *Tokenizer::Parse(TinyTokenizerJson().dump());
  Detokenizer detokenizer(*tokenizer);
  EXPECT_EQ(detokenizer.Push(260), "<｜User｜>");
  EXPECT_EQ(detokenizer.Push(258), "");    // a gap between the ids
  EXPECT_EQ(detokenizer.Push(99999), "");  // padding of the embedding table
  EXPECT_EQ(detokenizer.Push(-1), "");
}

}  // namespace
}  // namespace shoal
