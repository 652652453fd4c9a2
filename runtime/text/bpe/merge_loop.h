// The loop of byte-pair encoding: as long as any merge applies, the adjacent
// pair of the lowest rank (of equals the leftmost) becomes one token.

#ifndef SHOAL_RUNTIME_TEXT_BPE_MERGE_LOOP_H_
#define SHOAL_RUNTIME_TEXT_BPE_MERGE_LOOP_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "runtime/base/token_id.h"
#include "runtime/text/bpe/merge_table.h"

namespace shoal {

// Up to kMax tokens, on the stack: the lowest rank is found by looking at all.
class ShortMerge {
 public:
  static constexpr size_t kMax = 64;

  // REQUIRES: n <= kMax.
  ShortMerge(const MergeTable& table, const TokenId* tokens, size_t n);

  // Calls `take(token, end)` for each token that is left, in order, until it
  // returns false: `end` counts the tokens before merging up to its end.
  template <typename Take>
  void ForEach(Take take) const {
    for (size_t i = 0; i < n_; i = next_[i]) {
      if (!take(tokens_[i], size_t{next_[i]})) return;
    }
  }
  // Probes of the merge table.
  size_t steps() const { return steps_; }

 private:
  const size_t n_;
  size_t steps_ = 0;
  std::array<TokenId, kMax + 2> tokens_;  // stale where merged into the left neighbour
  std::array<uint8_t, kMax> next_;
};

// Any number, with a heap: time n log n. Merges in place; `ends`, unless null,
// becomes for each token that is left the tokens before merging up to its end.
// Returns the probes of the merge table and the elements pushed to the heap.
// REQUIRES: fewer than 2^31 tokens.
size_t LongMerge(const MergeTable& table, std::vector<TokenId>* tokens,
                 std::vector<size_t>* ends = nullptr);

}  // namespace shoal

#endif  // SHOAL_RUNTIME_TEXT_BPE_MERGE_LOOP_H_
