// Long pieces by windows, each merged by itself.

#ifndef SHOAL_RUNTIME_TEXT_BPE_WINDOW_MERGE_H_
#define SHOAL_RUNTIME_TEXT_BPE_WINDOW_MERGE_H_

#include <cstddef>
#include <vector>

#include "absl/types/span.h"

#include "runtime/base/token_id.h"
#include "runtime/text/bpe/merge_order.h"
#include "runtime/text/bpe/merge_table.h"

namespace shoal {

// Of a window the first three quarters are kept: what comes behind may still
// depend on what the window does not show. By MergeOrder's theorem the kept
// tokens are the encoding's if the borders where two windows meet hold.
//
// Where the text is periodic so are the tokens: whole periods of a window are
// written again as long as the text goes on alike, after one look at the border
// between such a block and itself.
//
// Used once per piece. The tables outlive it.
class WindowMerge {
 public:
  // REQUIRES: order.well_founded(); window >= 4.
  WindowMerge(const MergeTable& table, const MergeOrder& order, size_t window)
      : table_(table), order_(order), window_(window) {}

  // Appends the tokens that `start` merges into; false, and nothing appended,
  // if a seam does not hold.
  bool Run(absl::Span<const TokenId> start, std::vector<TokenId>* ids);

  // Probes of the merge table and elements pushed to the heap.
  size_t steps() const { return steps_; }

 private:
  // Sets tokens_ and ends_ to what the window becomes.
  void Merge(absl::Span<const TokenId> window);
  // The first tokens of the window that make up whole periods of it, `most` of
  // them at most; 0 if there are none, or none that can stand beside themselves.
  size_t Block(absl::Span<const TokenId> window, size_t most);
  // The least shift by which the window agrees with itself.
  size_t PeriodOf(absl::Span<const TokenId> window);

  const MergeTable& table_;
  const MergeOrder& order_;
  const size_t window_;
  size_t steps_ = 0;
  std::vector<TokenId> tokens_;
  std::vector<size_t> ends_;     // by token: how much of the window up to its end
  std::vector<size_t> borders_;  // of each beginning of the window (Knuth, Morris, Pratt 1977)
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_TEXT_BPE_WINDOW_MERGE_H_
