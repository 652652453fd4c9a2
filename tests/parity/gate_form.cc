#include "tests/parity/gate_form.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "runtime/tensor/dtype.h"

namespace shoal {
namespace {

double At(Tensor t, int64_t row, int64_t col) {
  return t.dtype == DType::kBF16 ? t.At<BF16>(row)[col].ToFloat() : t.At<float>(row)[col];
}

}  // namespace

RowScores ScoresOf(Tensor x, int64_t row, Tensor w, Tensor bias, const GateConfig& config) {
  RowScores scores;
  for (int64_t e = 0; e < w.rows; ++e) {
    double logit = 0;
    for (int64_t i = 0; i < w.cols; ++i) logit += At(x, row, i) * At(w, e, i);
    scores.score.push_back(logit);
  }
  if (config.score == GateScore::kSigmoid) {
    for (double& s : scores.score) s = 1 / (1 + std::exp(-s));
  } else {
    double sum = 0;
    for (double& s : scores.score) sum += s = std::exp(s);
    for (double& s : scores.score) s /= sum;
  }
  scores.biased = scores.score;
  for (int64_t e = 0; e < w.rows && !bias.empty(); ++e) scores.biased[e] += At(bias, 0, e);
  return scores;
}

std::vector<double> GroupScores(const GateConfig& config, const std::vector<double>& biased) {
  const int per_group = config.experts / config.groups;
  std::vector<double> scores;
  for (int g = 0; g < config.groups; ++g) {
    std::vector<double> members(biased.begin() + g * per_group,
                                biased.begin() + (g + 1) * per_group);
    std::sort(members.begin(), members.end(), std::greater<>());
    double sum = 0;
    for (int i = 0; i < std::min(config.group_score_terms, per_group); ++i) sum += members[i];
    scores.push_back(sum);
  }
  return scores;
}

std::vector<float> WeightsOf(const GateConfig& config, const std::vector<double>& score,
                             absl::Span<const int32_t> chosen) {
  double sum = 0;
  for (const int32_t e : chosen) sum += score[e];
  std::vector<float> weights;
  for (const int32_t e : chosen) {
    weights.push_back(static_cast<float>(score[e] / (config.normalize ? sum : 1) * config.scale));
  }
  return weights;
}

}  // namespace shoal
