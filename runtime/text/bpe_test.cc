#include "runtime/text/bpe.h"

#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace shoal {
namespace {

// All bytes, and merges that put powers of two of 'a' together, "ab" and "ba".
class BpeTest : public testing::Test {
 protected:
  BpeTest() {
    for (int byte = 0; byte < 256; ++byte) {
      bytes_.push_back(std::string(1, static_cast<char>(byte)));
    }
    Merge('b', 'a');
    Merge('a', 'a');
    Merge('a', 'b');
    const TokenId aa = 257;
    Merge(aa, aa);
    Merge(aa, 'b');
  }

  void Merge(TokenId left, TokenId right) {
    rules_.push_back({left, right, static_cast<TokenId>(bytes_.size())});
    bytes_.push_back(bytes_[left] + bytes_[right]);
  }

  std::vector<TokenId> Encode(const Bpe& bpe, absl::string_view piece) {
    std::vector<TokenId> ids;
    bpe.Encode(piece, &ids);
    return ids;
  }

  std::vector<std::string> bytes_;
  std::vector<Bpe::MergeRule> rules_;
};

TEST_F(BpeTest, LowestRankThenLeftmost) {
  const auto bpe = Bpe::Create(bytes_, rules_);
  ASSERT_TRUE(bpe.ok()) << bpe.status();
  EXPECT_EQ(Encode(*bpe, ""), (std::vector<TokenId>{}));
  EXPECT_EQ(Encode(*bpe, "x"), (std::vector<TokenId>{'x'}));
  EXPECT_EQ(Encode(*bpe, "aba"), (std::vector<TokenId>{'a', 256}));
  EXPECT_EQ(Encode(*bpe, "aaa"), (std::vector<TokenId>{257, 'a'}));
  EXPECT_EQ(Encode(*bpe, "aaab"), (std::vector<TokenId>{257, 258}));
  EXPECT_EQ(Encode(*bpe, "aab"), (std::vector<TokenId>{260}));
}

TEST_F(BpeTest, AgreesWithTheRuleOnPiecesOfEveryLength) {
  const auto bpe = Bpe::Create(bytes_, rules_);
  ASSERT_TRUE(bpe.ok());
  std::mt19937 random(7);
  for (int trial = 0; trial < 2000; ++trial) {
    std::string piece;
    const size_t size = random() % (trial % 10 == 0 ? 300 : 60);
    while (piece.size() < size) piece.push_back("aaabbc"[random() % 6]);
    std::vector<TokenId> expected;
    bpe->EncodeNaively(piece, &expected);
    ASSERT_EQ(Encode(*bpe, piece), expected) << piece;
  }
}

// A quadratic loop would take hours.
TEST_F(BpeTest, LongPieceEndsInTime) {
  const auto bpe = Bpe::Create(bytes_, rules_);
  ASSERT_TRUE(bpe.ok());
  EXPECT_EQ(Encode(*bpe, std::string(1'000'000, 'a')).size(), 250'000u);
}

// "abab" is a token, yet its bytes never merge into it: "ba" goes first.
TEST_F(BpeTest, TokenThatItsBytesDoNotReachIsNotAShortcut) {
  Merge(258, 258);
  const auto bpe = Bpe::Create(bytes_, rules_);
  ASSERT_TRUE(bpe.ok());
  EXPECT_EQ(Encode(*bpe, "abab"), (std::vector<TokenId>{'a', 256, 'b'}));
}

TEST_F(BpeTest, RefusesTablesThatDoNotHold) {
  auto bytes = bytes_;
  bytes['q'] = "";
  EXPECT_NE(Bpe::Create(bytes, {}).status().message().find("byte 113"), std::string::npos);
  for (const Bpe::MergeRule wrong :
       {Bpe::MergeRule{'a', 'c', 257}, {'a', 9999, 257}, {-1, 'a', 257}}) {
    auto rules = rules_;
    rules.push_back(wrong);
    const auto status = Bpe::Create(bytes_, rules).status();
    EXPECT_NE(status.message().find("merges[5]"), std::string::npos) << status;
  }
  auto rules = rules_;
  rules.push_back(rules[1]);
  const auto status = Bpe::Create(bytes_, rules).status();
  EXPECT_NE(status.message().find("merges[1]"), std::string::npos) << status;
}

}  // namespace
}  // namespace shoal
