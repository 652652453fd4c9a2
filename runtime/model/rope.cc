#include "runtime/model/rope.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "absl/strings/str_cat.h"

#include "runtime/base/check.h"
#include "runtime/base/sha256.h"
#include "runtime/model/fixed_math.h"

namespace shoal {
namespace {

constexpr double kTwoPi = 0x1.921fb54442d18p+2;

// m(f, s)
double Magnitude(double factor, double mscale) {
  return factor <= 1 ? 1 : 0.1 * mscale * FixedLog(factor) + 1;
}

// The dimension (a real number) whose wave turns `rotations` times over the original context.
double DimensionOf(double rotations, double dim, double theta, double context) {
  return dim * FixedLog(context / (rotations * kTwoPi)) / (2 * FixedLog(theta));
}

}  // namespace

std::vector<double> RopeFrequencies(const DeepSeekConfig& config) {
  const double dim = config.rope_dim;
  std::vector<double> frequencies;
  for (int32_t i = 0; i < config.rope_dim / 2; ++i) {
    frequencies.push_back(FixedExp(-(2 * i / dim) * FixedLog(config.rope_theta)));
  }
  if (!config.yarn.has_value()) return frequencies;

  // Fast waves keep their frequency, slow ones are stretched by the factor, with a ramp between.
  const YarnConfig& yarn = *config.yarn;
  const double context = yarn.original_max_positions;
  const double low =
      std::max(std::floor(DimensionOf(yarn.beta_fast, dim, config.rope_theta, context)), 0.0);
  double high =
      std::min(std::ceil(DimensionOf(yarn.beta_slow, dim, config.rope_theta, context)), dim - 1);
  if (high == low) high += 0.001;
  for (int32_t i = 0; i < config.rope_dim / 2; ++i) {
    const double ramp = std::clamp((i - low) / (high - low), 0.0, 1.0);
    frequencies[i] = frequencies[i] / yarn.factor * ramp + frequencies[i] * (1 - ramp);
  }
  return frequencies;
}

HostRopeTable MakeRopeTable(const DeepSeekConfig& config, int64_t positions) {
  CHECK(positions >= 1 && positions <= int64_t{1} << 20) << positions;
  double magnitude = 1;
  if (config.yarn.has_value()) {
    magnitude = Magnitude(config.yarn->factor, config.yarn->mscale) /
                Magnitude(config.yarn->factor, config.yarn->mscale_all_dim);
  }
  const std::vector<double> frequencies = RopeFrequencies(config);
  HostRopeTable table;
  table.positions = positions;
  table.half = config.rope_dim / 2;
  table.cos.reserve(static_cast<size_t>(positions * table.half));
  table.sin.reserve(static_cast<size_t>(positions * table.half));
  for (int64_t p = 0; p < positions; ++p) {
    for (const double frequency : frequencies) {
      const SinCos wave = FixedSinCos(static_cast<double>(p) * frequency);
      table.cos.push_back(static_cast<float>(wave.cos * magnitude));
      table.sin.push_back(static_cast<float>(wave.sin * magnitude));
    }
  }
  return table;
}

std::string HostRopeTable::Digest() const {
  Sha256 sha;
  sha.Update(absl::StrCat("shoal rope 1 ", positions, " ", half, "\n"));
  sha.Update(cos.data(), cos.size() * sizeof(float));
  sha.Update(sin.data(), sin.size() * sizeof(float));
  return HexOf(sha.Finish());
}

float SoftmaxScale(const DeepSeekConfig& config) {
  double scale = 1 / std::sqrt(static_cast<double>(config.qk_dim()));  // sqrt is exact by IEEE 754
  if (config.yarn.has_value()) {
    const double m = Magnitude(config.yarn->factor, config.yarn->mscale_all_dim);
    scale *= m * m;
  }
  return static_cast<float>(scale);
}

}  // namespace shoal
