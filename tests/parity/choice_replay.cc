#include "tests/parity/choice_replay.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <limits>

#include "runtime/base/check.h"
#include "tests/parity/forwarding_ops.h"
#include "tests/parity/gate_form.h"

namespace shoal {
namespace {

class RecordingOps : public ForwardingOps {
 public:
  RecordingOps(Ops& real, ChoiceLog& log) : ForwardingOps(real), log_(log) {}

  void Gate(Tensor x, Tensor w, Tensor bias, const GateConfig& config, Routing* out) override {
    real_.Gate(x, w, bias, config, out);
    for (int64_t t = 0; t < x.rows; ++t) {
      const auto first = out->expert.begin() + t * out->k;
      log_.push_back({{first, first + out->k}, ScoresOf(x, t, w, bias, config).biased});
    }
  }

 private:
  ChoiceLog& log_;
};

class ReplayingOps : public ForwardingOps {
 public:
  ReplayingOps(Ops& real, const ChoiceLog& log, Flips& flips)
      : ForwardingOps(real), log_(log), flips_(flips) {}

  void Gate(Tensor x, Tensor w, Tensor bias, const GateConfig& config, Routing* out) override {
    real_.Gate(x, w, bias, config, out);
    for (int64_t t = 0; t < x.rows; ++t) {
      CHECK(next_ < log_.size()) << "more rows than were recorded: " << log_.size();
      const RowChoice& recorded = log_[next_++];
      const absl::Span<int32_t> mine(&out->expert[t * out->k], static_cast<size_t>(out->k));
      ++flips_.choices;
      if (mine == absl::Span<const int32_t>(recorded.expert)) continue;
      ++flips_.flips;
      flips_.widest = std::max(flips_.widest, Shortfall(config, recorded.biased, mine));
      const std::vector<float> weight =
          WeightsOf(config, ScoresOf(x, t, w, bias, config).score, recorded.expert);
      std::copy(recorded.expert.begin(), recorded.expert.end(), mine.begin());
      std::copy(weight.begin(), weight.end(), out->weight.begin() + t * out->k);
    }
  }

 private:
  const ChoiceLog& log_;
  Flips& flips_;
  size_t next_ = 0;
};

// What the choice falls short by if exactly the groups of the bit set `open` are open; infinite
// where a chosen expert's group is closed.
double ShortfallWith(uint32_t open, const std::vector<double>& group, int per_group,
                     const std::vector<double>& biased, absl::Span<const int32_t> chosen) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  double least_open = kInfinity, most_closed = -kInfinity;
  for (size_t g = 0; g < group.size(); ++g) {
    if ((open >> g & 1) != 0) {
      least_open = std::min(least_open, group[g]);
    } else {
      most_closed = std::max(most_closed, group[g]);
    }
  }
  double least_chosen = kInfinity, most_passed = -kInfinity;
  for (size_t e = 0; e < biased.size(); ++e) {
    const bool is_open = (open >> (e / static_cast<size_t>(per_group)) & 1) != 0;
    const bool is_chosen = std::binary_search(chosen.begin(), chosen.end(), static_cast<int>(e));
    if (is_chosen && !is_open) return kInfinity;
    if (is_chosen) least_chosen = std::min(least_chosen, biased[e]);
    if (!is_chosen && is_open) most_passed = std::max(most_passed, biased[e]);
  }
  return std::max({0.0, most_closed - least_open, most_passed - least_chosen});
}

}  // namespace

double Shortfall(const GateConfig& config, const std::vector<double>& biased,
                 absl::Span<const int32_t> chosen) {
  CHECK_LE(config.groups, 16) << "every set of groups is tried";
  const int per_group = config.experts / config.groups;
  const std::vector<double> group = GroupScores(config, biased);
  double least = std::numeric_limits<double>::infinity();
  for (uint32_t open = 0; open < 1u << config.groups; ++open) {
    if (std::popcount(open) != config.top_groups) continue;
    least = std::min(least, ShortfallWith(open, group, per_group, biased, chosen));
  }
  return least / *std::max_element(biased.begin(), biased.end());
}

std::unique_ptr<Ops> RecordChoices(Ops& real, ChoiceLog& log) {
  return std::make_unique<RecordingOps>(real, log);
}

std::unique_ptr<Ops> ReplayChoices(Ops& real, const ChoiceLog& log, Flips& flips) {
  return std::make_unique<ReplayingOps>(real, log, flips);
}

}  // namespace shoal
