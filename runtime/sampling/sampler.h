#ifndef SHOAL_RUNTIME_SAMPLING_SAMPLER_H_
#define SHOAL_RUNTIME_SAMPLING_SAMPLER_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "runtime/device/ops.h"

namespace shoal {

struct SamplingOptions {
  float temperature = 0;  // [0, 2]; 0 is greedy
  float top_p = 1;        // (0, 1]
  int32_t top_k = 0;      // 0: off
  float min_p = 0;        // [0, 1)
  uint64_t seed = 0;
};

// INVALID_ARGUMENT names the field, its value and the bound; NaN and infinity are refused.
absl::Status Validate(const SamplingOptions& options);

// The token for `position`, a function of its arguments alone: no state, no batch.  Order of
// filters as Hugging Face: temperature, top_k, top_p, min_p.  Rule N10: sorts by (logit descending,
// id ascending), sums in that order, draws from a counter RNG keyed by (seed, choice, position).
// INTERNAL when a logit is NaN or all are -inf.
absl::StatusOr<TokenId> Sample(absl::Span<const float> logits, const SamplingOptions& options,
                               int32_t choice, int64_t position);

}  // namespace shoal

#endif  // SHOAL_RUNTIME_SAMPLING_SAMPLER_H_
