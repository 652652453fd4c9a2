#ifndef SHOAL_RUNTIME_SAMPLING_LOGIT_ROW_H_
#define SHOAL_RUNTIME_SAMPLING_LOGIT_ROW_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"

#include "runtime/base/token_id.h"
#include "runtime/sampling/logit_kernels.h"

namespace shoal {

// One row of logits in blocks of 64, with edits that leave the row itself alone: a block is copied
// when its first logit changes. The last block is padded with -infinity.
//
// Owns its memory from one Reset to the next, so that a row of a known length allocates nothing.
// Thread-compatible. REQUIRES in every call: denormals are zero in this thread.
class LogitRow {
 public:
  // `logits` outlives the use of the row. INTERNAL when one is NaN or +infinity, or all are
  // -infinity, or there are none or too many of them.
  absl::Status Reset(absl::Span<const float> logits, const LogitKernels& kernels);

  float Get(TokenId id) const { return blocks_[id / kBlockLogits][id % kBlockLogits]; }
  // REQUIRES: 0 <= id < size. The maxima hold only after Refresh().
  void Set(TokenId id, float logit);
  // Tokens whose bit is 0 become impossible. REQUIRES: a bit for every token; those beyond the
  // vocabulary are ignored.
  void Restrict(absl::Span<const uint64_t> allowed, const LogitKernels& kernels);
  // Brings the maxima up to date. False when an edited logit is NaN or +infinity.
  bool Refresh(const LogitKernels& kernels);

  size_t size() const { return size_; }
  absl::Span<const float* const> blocks() const { return blocks_; }
  absl::Span<const float> block_max() const { return block_max_; }
  float max() const { return max_; }
  // The lowest of the ids with the largest logit.
  TokenId FirstMax() const;

 private:
  void FindMax();
  float* Own(size_t block);

  size_t size_ = 0;
  const float* logits_ = nullptr;
  std::vector<const float*> blocks_;  // each [64]
  std::vector<float> block_max_;
  std::vector<float> copies_;   // [blocks, 64]: where block b goes when it changes
  std::vector<size_t> edited_;  // blocks whose maximum is stale
  std::vector<bool> stale_;
  float max_ = 0;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_SAMPLING_LOGIT_ROW_H_
