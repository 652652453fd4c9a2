#include "tools/loadgen/lengths.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/match.h"

namespace shoal::loadgen {
namespace {

std::vector<int64_t> Draws(absl::string_view text, int count) {
  const auto spec = ParseLengths("prompt_tokens", text);
  EXPECT_TRUE(spec.ok()) << spec.status();
  std::vector<int64_t> draws;
  for (int i = 0; i < count; ++i) {
    draws.push_back(
        spec->Draw({3, SeededRandom::Purpose::kPromptLength, static_cast<uint64_t>(i)}));
  }
  return draws;
}

TEST(LengthsTest, Fixed) { EXPECT_EQ(Draws("fixed:17", 3), (std::vector<int64_t>{17, 17, 17})); }

TEST(LengthsTest, UniformHitsEveryLengthAlike) {
  constexpr int kCount = 70'000, kKinds = 7;
  std::vector<double> hits(kKinds, 0.0);
  for (const int64_t draw : Draws("uniform:3:9", kCount)) {
    ASSERT_TRUE(draw >= 3 && draw <= 9) << draw;
    ++hits[static_cast<size_t>(draw - 3)];
  }
  double chi_square = 0;
  constexpr double kExpected = static_cast<double>(kCount) / kKinds;
  for (const double hit : hits) chi_square += (hit - kExpected) * (hit - kExpected) / kExpected;
  EXPECT_LT(chi_square, 16.8);  // 6 degrees of freedom, 1 %
}

TEST(LengthsTest, LogNormalHasItsQuantiles) {
  constexpr int kCount = 40'000;
  std::vector<int64_t> draws = Draws("lognormal:200:0.8:1000000", kCount);
  std::sort(draws.begin(), draws.end());
  // Standard normal quantiles: 0 at 50 %, 1.28155 at 90 %, 2.32635 at 99 %.
  const std::pair<double, double> quantiles[] = {{0.5, 0}, {0.9, 1.28155}, {0.99, 2.32635}};
  for (const auto& [share, z] : quantiles) {
    const double expected = 200 * std::exp(0.8 * z);
    EXPECT_NEAR(static_cast<double>(draws[static_cast<size_t>(share * kCount)]), expected,
                0.05 * expected);
  }
}

TEST(LengthsTest, LogNormalStaysWithinItsBounds) {
  int64_t low = 1000, high = 0;
  for (const int64_t draw : Draws("lognormal:5:2:40", 20'000)) {
    low = std::min(low, draw);
    high = std::max(high, draw);
  }
  EXPECT_EQ(low, 1);
  EXPECT_EQ(high, 40);
}

TEST(LengthsTest, RefusesByNameValueAndBound) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "--prompt_tokens=: expected fixed:N, uniform:LOW:HIGH"},
      {"64", "--prompt_tokens=64: expected fixed:N"},
      {"fixed:0", "--prompt_tokens=fixed:0: N 0 is outside [1, 16777216]"},
      {"fixed:1:2", "3 words, expected 2 as in fixed:N"},
      {"uniform:9:3", "HIGH 3 is outside [9, 16777216]"},
      {"uniform:0:3", "LOW 0 is outside [1, 16777216]"},
      {"lognormal:10:0.5", "3 words, expected 4 as in lognormal:MEDIAN:SIGMA:MAX"},
      {"lognormal:10:-1:100", "SIGMA -1 is outside [0, 4]"},
      {"lognormal:200:1:100", "MEDIAN 200 is outside [1, 100]"},
      {"lognormal:inf:1:100", "MEDIAN inf is outside [1, 100]"},
      {"trace:x", "expected fixed:N"},
  };
  for (const auto& [value, message] : cases) {
    const auto spec = ParseLengths("prompt_tokens", value);
    EXPECT_EQ(spec.status().code(), absl::StatusCode::kInvalidArgument) << value;
    EXPECT_TRUE(absl::StrContains(spec.status().message(), message)) << spec.status();
  }
}

}  // namespace
}  // namespace shoal::loadgen
