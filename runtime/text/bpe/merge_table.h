// The merges of byte-pair encoding, by the pair they join.

#ifndef SHOAL_RUNTIME_TEXT_BPE_MERGE_TABLE_H_
#define SHOAL_RUNTIME_TEXT_BPE_MERGE_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "runtime/base/token_id.h"
#include "runtime/text/bpe/perfect_hash.h"

namespace shoal {

// A slot is eight bytes: left, right and rank in 21 bits each.
//
// Immutable once made, therefore thread-safe.
class MergeTable {
 public:
  // A rule's rank is its position: an earlier one is done first.
  struct Rule {
    TokenId left;
    TokenId right;
    TokenId merged;
  };

  // What Rank() gives for a pair without a rule; greater than every rank.
  static constexpr uint32_t kNoRank = (1u << 21) - 1;

  // `token_bytes[id]` is what a token stands for; empty for ids that text never
  // becomes. InvalidArgument if a rule names an id that is out of range or has
  // no bytes, or bytes that do not join up, if a pair is ruled twice, or if
  // there are more than kNoRank tokens or rules.
  static absl::StatusOr<MergeTable> Create(const std::vector<std::string>& token_bytes,
                                           const std::vector<Rule>& rules);

  // REQUIRES: both are tokens.
  uint32_t Rank(TokenId left, TokenId right) const {
    const uint64_t key = Key(left, right);
    const uint64_t slot = slots_[hash_.SlotOf(Mix(key))];
    return slot >> kBits == key ? static_cast<uint32_t>(slot) & kNoRank : kNoRank;
  }

  // What the rule of this rank makes.
  TokenId Merged(uint32_t rank) const { return merged_[rank]; }
  const std::vector<Rule>& rules() const { return rules_; }

 private:
  static constexpr int kBits = 21;
  static constexpr uint64_t kEmpty = ~uint64_t{0};  // no pair's

  MergeTable() = default;

  static uint64_t Key(TokenId left, TokenId right) {
    return static_cast<uint64_t>(left) << kBits | static_cast<uint64_t>(right);
  }
  // One to one, so that distinct pairs have distinct hashes.
  static uint64_t Mix(uint64_t key) {
    key *= 0x9E3779B97F4A7C15u;
    return (key ^ key >> 32) * 0xD6E8FEB86659FD93u;
  }
  // Gives every rule a slot. InvalidArgument if a pair is ruled twice.
  absl::Status Place();

  std::vector<Rule> rules_;      // by rank
  std::vector<TokenId> merged_;  // by rank; dense, for the loop that merges
  PerfectHash hash_;
  std::vector<uint64_t> slots_;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_TEXT_BPE_MERGE_TABLE_H_
