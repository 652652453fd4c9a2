#ifndef SHOAL_TESTS_PARITY_CHOICE_REPLAY_H_
#define SHOAL_TESTS_PARITY_CHOICE_REPLAY_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/types/span.h"

#include "runtime/device/ops.h"

namespace shoal {

// Where two experts' scores nearly tie, bf16 rightly chooses another than float32 does: from there
// on the two compute different functions, and their distance says nothing about rounding.  So a
// float32 run records which experts each row chose, and a bf16 run of the same passes is made to
// choose the same, with weights of its own: what is left is rounding, at every position.  The rows
// where it would have chosen otherwise are counted apart, with how near the float32 scores were.

// One row's choice in one MoE layer.
struct RowChoice {
  std::vector<int32_t> expert;  // ascending
  std::vector<double> biased;   // [experts]: s', what the choice goes by
};
using ChoiceLog = std::vector<RowChoice>;  // in the order of Ops::Gate's calls and rows

struct Flips {
  int64_t choices = 0, flips = 0;
  double widest = 0;  // the largest Shortfall of a flip
};

// Both for one rank, in host memory.  `log` and `flips` outlive what is returned.
std::unique_ptr<Ops> RecordChoices(Ops& real, ChoiceLog& log);
// REQUIRES: as many rows come to Gate as the log has.
std::unique_ptr<Ops> ReplayChoices(Ops& real, const ChoiceLog& log, Flips& flips);

// By how much scores would have to move, at most, for `chosen` to be right: over the sets of open
// groups that hold it, the least of what a closed group leads an open one by, or a passed-over
// expert of an open group a chosen one, in parts of the largest score.  0 for the right choice.
double Shortfall(const GateConfig& config, const std::vector<double>& biased,
                 absl::Span<const int32_t> chosen);

}  // namespace shoal

#endif  // SHOAL_TESTS_PARITY_CHOICE_REPLAY_H_
