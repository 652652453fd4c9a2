#include "runtime/device/cpu/gate.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "runtime/device/ops.h"

namespace shoal::cpu {
namespace {

// The index of the largest open value; the lowest on a tie. REQUIRES: one is open.
int Largest(const float* values, const uint8_t* open, int size) {
  int best = -1;
  for (int i = 0; i < size; ++i) {
    if (open[i] != 0 && (best < 0 || values[i] > values[best])) best = i;
  }
  return best;
}

// Sum of the `terms` largest of `size` values, the largest first.
float SumOfLargest(const float* values, int size, int terms, uint8_t* open) {
  std::fill_n(open, size, uint8_t{1});
  float sum = 0;
  for (int t = 0; t < std::min(terms, size); ++t) {
    const int i = Largest(values, open, size);
    open[i] = 0;
    sum += values[i];
  }
  return sum;
}

}  // namespace

void ExpertChoice::Choose(const GateConfig& config, const float* scores, const float* bias,
                          int32_t* expert, float* weight) {
  const int experts = config.experts, groups = config.groups, per_group = experts / groups;
  biased_.resize(static_cast<size_t>(experts));
  group_.resize(static_cast<size_t>(groups));
  open_.resize(static_cast<size_t>(std::max(experts, groups)));
  for (int e = 0; e < experts; ++e) biased_[e] = bias == nullptr ? scores[e] : scores[e] + bias[e];

  // The best groups stay open; the others are -inf, that is, never chosen.
  for (int g = 0; g < groups; ++g) {
    group_[g] =
        SumOfLargest(&biased_[g * per_group], per_group, config.group_score_terms, open_.data());
  }
  group_open_.assign(static_cast<size_t>(groups), 1);
  std::fill_n(open_.begin(), experts, uint8_t{0});
  for (int n = 0; n < config.top_groups; ++n) {
    const int g = Largest(group_.data(), group_open_.data(), groups);
    group_open_[g] = 0;
    std::fill_n(open_.begin() + g * per_group, per_group, uint8_t{1});
  }

  for (int k = 0; k < config.top_k; ++k) {
    expert[k] = Largest(biased_.data(), open_.data(), experts);
    open_[expert[k]] = 0;
  }
  std::sort(expert, expert + config.top_k);
  float sum = 0;
  for (int k = 0; k < config.top_k; ++k) sum += scores[expert[k]];
  for (int k = 0; k < config.top_k; ++k) {
    const float s = scores[expert[k]];
    weight[k] = (config.normalize ? s / (sum + 1e-20f) : s) * config.scale;
  }
}

}  // namespace shoal::cpu
