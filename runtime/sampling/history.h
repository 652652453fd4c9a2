#ifndef SHOAL_RUNTIME_SAMPLING_HISTORY_H_
#define SHOAL_RUNTIME_SAMPLING_HISTORY_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"

#include "runtime/base/token_id.h"
#include "runtime/sampling/logit_row.h"
#include "runtime/sampling/sampling_options.h"

namespace shoal {

// Edits a row by what the sequence already holds. Owns its memory from one call to the next.
class HistoryPenalties {
 public:
  // Repetition, frequency and presence penalty, in this order (SamplingOptions has the formulas).
  // REQUIRES: the ids are of the row's vocabulary.
  void Apply(const SamplingOptions& options, absl::Span<const TokenId> prompt,
             absl::Span<const TokenId> output, LogitRow& row);

 private:
  void Count(absl::Span<const TokenId> ids, bool output);

  std::vector<uint32_t> counts_;   // [vocab], of the output, and kSeen; 0 between calls
  std::vector<TokenId> distinct_;  // whose counts_ are not 0
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_SAMPLING_HISTORY_H_
