#ifndef SHOAL_TESTS_PARITY_GATE_FORM_H_
#define SHOAL_TESTS_PARITY_GATE_FORM_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

#include "runtime/device/ops.h"
#include "runtime/tensor/tensor.h"

namespace shoal {

// The router of the V3 report, equations 13 to 16, in float64 and in pieces, for tests that look
// into a choice or make a wrong one.  Host memory; x is F32 or BF16.

// s and s' of one row of a gate's input.
struct RowScores {
  std::vector<double> score, biased;  // [experts]
};
RowScores ScoresOf(Tensor x, int64_t row, Tensor w, Tensor bias, const GateConfig& config);

// The sum of each group's best s', as many as the config says.  [groups]
std::vector<double> GroupScores(const GateConfig& config, const std::vector<double>& biased);

// The weights of `chosen` by `score`, normalized and scaled as the config says.
std::vector<float> WeightsOf(const GateConfig& config, const std::vector<double>& score,
                             absl::Span<const int32_t> chosen);

}  // namespace shoal

#endif  // SHOAL_TESTS_PARITY_GATE_FORM_H_
