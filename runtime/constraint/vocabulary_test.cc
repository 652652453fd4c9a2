#include "runtime/constraint/vocabulary.h"

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"

#include "runtime/base/token_id.h"
#include "runtime/constraint/test_vocabulary.h"

namespace shoal {
namespace {

TEST(Vocabulary, EachTokenHasOneNodeAtTheEndOfItsBytes) {
  const auto vocabulary = TestVocabulary();
  std::map<TokenId, std::string> found;
  std::string path;
  const auto nodes = vocabulary->nodes();
  for (uint32_t i = 1; i < nodes.size(); ++i) {
    ASSERT_LE(nodes[i].depth, path.size() + 1);
    ASSERT_GT(nodes[i].end, i);
    path.resize(nodes[i].depth - 1u);
    path.push_back(static_cast<char>(nodes[i].byte));
    if (nodes[i].token >= 0) {
      EXPECT_TRUE(found.emplace(nodes[i].token, path).second);
    }
    // All nodes below are deeper, the next one is not.
    for (uint32_t j = i + 1; j < nodes[i].end; ++j) ASSERT_GT(nodes[j].depth, nodes[i].depth);
    if (nodes[i].end < nodes.size()) {
      ASSERT_LE(nodes[nodes[i].end].depth, nodes[i].depth);
    }
  }
  for (size_t id = 0; id < vocabulary->size(); ++id) {
    const auto token = static_cast<TokenId>(id);
    const auto at = found.find(token);
    EXPECT_EQ(at == found.end() ? "" : at->second, vocabulary->BytesOf(token)) << id;
  }
  EXPECT_EQ(nodes[0].end, nodes.size());
  EXPECT_TRUE(vocabulary->IsEnd(kTestEnd));
  EXPECT_FALSE(vocabulary->IsEnd(0));
  EXPECT_EQ(vocabulary->BytesOf(-1), "");
  EXPECT_EQ(vocabulary->BytesOf(1 << 30), "");
}

TEST(Vocabulary, RefusesWhatCouldComeToADeadEnd) {
  std::vector<std::string> tokens;
  for (int b = 0; b < 256; ++b) tokens.emplace_back(1, static_cast<char>(b));
  tokens.emplace_back();
  std::vector<absl::string_view> bytes(tokens.begin(), tokens.end());
  EXPECT_TRUE(Vocabulary::Create(bytes, {256}).ok());
  const auto refusal = [&](std::vector<TokenId> ends) {
    return std::string(Vocabulary::Create(bytes, std::move(ends)).status().message());
  };
  EXPECT_EQ(refusal({}), "the vocabulary has no end token");
  EXPECT_EQ(refusal({65}), "end token 65 is not a special token below 257");
  EXPECT_EQ(refusal({257}), "end token 257 is not a special token below 257");
  EXPECT_EQ(refusal({-1}), "end token -1 is not a special token below 257");
  bytes[34] = "ab";
  EXPECT_TRUE(absl::StrContains(refusal({256}), "no token for byte 34 alone"));
}

}  // namespace
}  // namespace shoal
