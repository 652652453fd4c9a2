#include "runtime/text/bpe/bpe.h"

#include <algorithm>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "gtest/gtest.h"

#include "runtime/text/bpe/piece_memo.h"

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
    const size_t end = piece.size();
    if (end > 0) bpe.Encode(piece, 0, absl::MakeConstSpan(&end, 1), nullptr, &ids);
    return ids;
  }

  // By the rule alone, in quadratic time.
  std::vector<TokenId> EncodeNaively(absl::string_view piece) {
    std::vector<TokenId> ids;
    for (const char c : piece) ids.push_back(static_cast<unsigned char>(c));
    while (true) {
      auto best = rules_.end();
      size_t at = 0;
      for (size_t i = 0; i + 1 < ids.size(); ++i) {
        const auto rule = std::find_if(rules_.begin(), best, [&](const Bpe::MergeRule& r) {
          return r.left == ids[i] && r.right == ids[i + 1];
        });
        if (rule != best) {
          best = rule;
          at = i;
        }
      }
      if (best == rules_.end()) return ids;
      ids[at] = best->merged;
      ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    }
  }

  std::vector<std::string> bytes_;
  std::vector<Bpe::MergeRule> rules_;
};

TEST_F(BpeTest, LowestRankThenLeftmost) {
  const auto bpe = Bpe::Create(bytes_, rules_);
  ASSERT_TRUE(bpe.ok()) << bpe.status();
  EXPECT_EQ(Encode(**bpe, ""), (std::vector<TokenId>{}));
  EXPECT_EQ(Encode(**bpe, "x"), (std::vector<TokenId>{'x'}));
  EXPECT_EQ(Encode(**bpe, "aba"), (std::vector<TokenId>{'a', 256}));
  EXPECT_EQ(Encode(**bpe, "aaa"), (std::vector<TokenId>{257, 'a'}));
  EXPECT_EQ(Encode(**bpe, "aaab"), (std::vector<TokenId>{257, 258}));
  EXPECT_EQ(Encode(**bpe, "aab"), (std::vector<TokenId>{260}));
}

TEST_F(BpeTest, AgreesWithTheRuleOnPiecesOfEveryLength) {
  const auto bpe = Bpe::Create(bytes_, rules_);
  ASSERT_TRUE(bpe.ok());
  std::mt19937 random(7);
  for (int trial = 0; trial < 2000; ++trial) {
    std::string piece;
    const size_t size = random() % (trial % 10 == 0 ? 300 : 60);
    while (piece.size() < size) piece.push_back("aaabbc"[random() % 6]);
    ASSERT_EQ(Encode(**bpe, piece), EncodeNaively(piece)) << piece;
  }
}

// Blocks of whole periods are repeated; what stands before and behind the run,
// and where in a period it ends, must not matter.
TEST_F(BpeTest, AgreesWithTheRuleOnPeriodicPieces) {
  // Tokens longer than a short window.
  for (TokenId run = 259; bytes_[run].size() < 64; run = static_cast<TokenId>(bytes_.size()) - 1) {
    Merge(run, run);
  }
  const auto bpe = Bpe::Create(bytes_, rules_);
  ASSERT_TRUE(bpe.ok());
  std::mt19937 random(10);
  for (int trial = 0; trial < 160; ++trial) {
    std::string period;
    const size_t length = 1 + random() % 7;
    while (period.size() < length) period.push_back("aaab"[random() % 4]);
    std::string piece(random() % 4, "ab"[random() % 2]);
    const size_t size = 65 + random() % (trial % 20 == 0 ? 1500 : 300);
    while (piece.size() < size) piece += period;
    piece.resize(size);
    if (trial % 2 == 0) piece += "abcaab";
    ASSERT_EQ(Encode(**bpe, piece), EncodeNaively(piece)) << piece;
  }
}

// Pieces of one text that come again, in any order, some in one another's slots.
TEST_F(BpeTest, MemoChangesNothing) {
  const auto bpe = Bpe::Create(bytes_, rules_);
  ASSERT_TRUE(bpe.ok());
  std::mt19937 random(11);
  std::string text;
  std::vector<size_t> ends;
  std::vector<TokenId> expected;
  for (int i = 0; i < 5000; ++i) {
    std::string piece;
    const size_t size = 1 + random() % (i % 9 == 0 ? 40 : 9);
    while (piece.size() < size) piece.push_back("aaabbc"[random() % 6]);
    text += piece;
    ends.push_back(text.size());
    const std::vector<TokenId> ids = Encode(**bpe, piece);
    expected.insert(expected.end(), ids.begin(), ids.end());
  }
  std::vector<TokenId> ids;
  PieceMemo memo(text, &ids);
  const size_t steps = (*bpe)->Encode(text, 0, ends, &memo, &ids);
  EXPECT_EQ(ids, expected);
  ids.clear();
  EXPECT_LT(steps, (*bpe)->Encode(text, 0, ends, nullptr, &ids));
}

// Any table whatever: words that merging does not reach, characters that are
// not closed, seams that do not hold. Half of the tables are not well-founded.
TEST_F(BpeTest, AgreesWithTheRuleForRandomTables) {
  const std::string alphabet[] = {"a", "b", "\u00e9", "\u00ea", "\u6c34", "\u6c35", "\U0001F600"};
  std::mt19937 random(8);
  for (int table = 0; table < 300; ++table) {
    bytes_.resize(256);
    rules_.clear();
    const TokenId parts[] = {'a',  'b',  0xC3, 0xA9, 0xAA, 0xE6, 0xB0,
                             0xB4, 0xB5, 0xF0, 0x9F, 0x98, 0x80};
    for (int tries = 0; tries < 60; ++tries) {
      const auto pick = [&]() -> TokenId {
        if (bytes_.size() > 256 && random() % 2 == 0) return 256 + random() % (bytes_.size() - 256);
        return parts[random() % std::size(parts)];
      };
      const TokenId left = pick();
      const TokenId right = pick();
      const std::string joined = bytes_[left] + bytes_[right];
      if (std::find(bytes_.begin(), bytes_.end(), joined) == bytes_.end()) Merge(left, right);
    }
    if (table % 2 == 1) std::shuffle(rules_.begin(), rules_.end(), random);
    const auto bpe = Bpe::Create(bytes_, rules_);
    ASSERT_TRUE(bpe.ok()) << bpe.status();
    for (int trial = 0; trial < 20; ++trial) {
      std::string piece;
      const size_t size = random() % (trial % 4 == 0 ? 100 : 12);
      for (size_t i = 0; i < size; ++i) piece += alphabet[random() % std::size(alphabet)];
      ASSERT_EQ(Encode(**bpe, piece), EncodeNaively(piece)) << "table " << table;
    }
  }
}

// Counted, not timed: n log n steps at worst, and linear where seams hold.
TEST_F(BpeTest, StepsOnLongPieces) {
  const auto bpe = Bpe::Create(bytes_, rules_);
  ASSERT_TRUE(bpe.ok());
  constexpr size_t kSize = 1'000'000;
  std::string alternating;
  while (alternating.size() < kSize) alternating += "ab";
  std::mt19937 random(9);
  std::string mixed;
  while (mixed.size() < kSize) mixed.push_back("aaab"[random() % 4]);
  for (const std::string& piece : {std::string(kSize, 'a'), alternating, mixed}) {
    std::vector<TokenId> ids;
    EXPECT_LE((*bpe)->Merge(piece, &ids), 8 * kSize);
    EXPECT_GE(ids.size(), kSize / 4);
  }
}

// "abab" is a token, yet its bytes never merge into it: "ba" goes first.
TEST_F(BpeTest, TokenThatItsBytesDoNotReachIsNotAShortcut) {
  Merge(258, 258);
  const auto bpe = Bpe::Create(bytes_, rules_);
  ASSERT_TRUE(bpe.ok());
  EXPECT_EQ(Encode(**bpe, "abab"), (std::vector<TokenId>{'a', 256, 'b'}));
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
