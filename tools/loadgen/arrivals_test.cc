#include "tools/loadgen/arrivals.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/match.h"

namespace shoal::loadgen {
namespace {

ArrivalSpec Parsed(absl::string_view text) {
  const auto spec = ParseArrivals(text);
  EXPECT_TRUE(spec.ok()) << spec.status();
  return spec.ok() ? *spec : ArrivalSpec{};
}

std::vector<double> Gaps(absl::string_view text, uint64_t seed, int count) {
  ArrivalTimes times(Parsed(text), seed);
  std::vector<double> gaps;
  absl::Duration last = absl::ZeroDuration();
  for (int i = 0; i < count; ++i) {
    const absl::Duration at = times.Next();
    gaps.push_back(absl::ToDoubleSeconds(at - last));
    last = at;
  }
  return gaps;
}

TEST(ArrivalsTest, PoissonGapsAreExponential) {
  constexpr int kCount = 50'000;
  constexpr double kRate = 37.5;
  std::vector<double> gaps = Gaps("poisson:37.5", 11, kCount);
  std::sort(gaps.begin(), gaps.end());
  EXPECT_GE(gaps[0], 0);
  // Kolmogorov and Smirnov's distance to 1 - exp(-rate x); 1.63 / sqrt(n) is exceeded by one
  // sample in a hundred, and this seed's is not that one.
  double distance = 0;
  for (int i = 0; i < kCount; ++i) {
    const double expected = -std::expm1(-kRate * gaps[i]);
    distance = std::max({distance, expected - static_cast<double>(i) / kCount,
                         static_cast<double>(i + 1) / kCount - expected});
  }
  EXPECT_LT(distance, 1.63 / std::sqrt(kCount));
}

// The gaps are independent: counts in windows are as spread as Poisson's, whose variance is its
// mean. Constant arrivals would have none of it.
TEST(ArrivalsTest, PoissonCountsHaveTheirMeanAsVariance) {
  constexpr int kWindows = 5'000;
  constexpr double kRate = 10;
  ArrivalTimes times(Parsed("poisson:10"), 12);
  std::vector<double> counts(kWindows, 0.0);
  for (double at = absl::ToDoubleSeconds(times.Next()); at < kWindows;
       at = absl::ToDoubleSeconds(times.Next())) {
    ++counts[static_cast<size_t>(at)];
  }
  double mean = 0, variance = 0;
  for (const double count : counts) mean += count / kWindows;
  for (const double count : counts) variance += (count - mean) * (count - mean) / kWindows;
  EXPECT_NEAR(mean, kRate, 5 * std::sqrt(kRate / kWindows));
  EXPECT_NEAR(variance / mean, 1, 5 * std::sqrt(2.0 / kWindows));
}

TEST(ArrivalsTest, ConstantArrivalsDoNotDrift) {
  ArrivalTimes times(Parsed("constant:3"), 1);
  absl::Duration last;
  for (int i = 0; i <= 3'000'000; ++i) last = times.Next();
  EXPECT_EQ(last, absl::Seconds(1'000'000));
}

TEST(ArrivalsTest, AFunctionOfTheSeed) {
  EXPECT_EQ(Gaps("poisson:5", 1, 100), Gaps("poisson:5", 1, 100));
  EXPECT_NE(Gaps("poisson:5", 1, 100), Gaps("poisson:5", 2, 100));
}

TEST(ArrivalsTest, Forms) {
  EXPECT_EQ(Parsed("closed:64").concurrency, 64);
  EXPECT_FALSE(Parsed("closed:64").open_loop());
  EXPECT_TRUE(Parsed("poisson:0.5").open_loop());
  EXPECT_EQ(Parsed("trace:a:b/c").trace_file, "a:b/c");
}

TEST(ArrivalsTest, RefusesByNameValueAndBound) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "--arrivals=: expected poisson:RATE, constant:RATE, closed:CONCURRENCY or trace:FILE"},
      {"uniform:3", "--arrivals=uniform:3: expected poisson:RATE"},
      {"poisson", "--arrivals=poisson: 1 words, expected 2 as in poisson:RATE"},
      {"poisson:1:2", "3 words, expected 2"},
      {"poisson:0", "RATE 0 is outside [0.001, 100000]"},
      {"poisson:-3", "RATE -3 is outside"},
      {"poisson:nan", "RATE nan is outside"},
      {"constant:fast", "RATE \"fast\" is not a number"},
      {"closed:0", "CONCURRENCY 0 is outside [1, 65536]"},
      {"closed:2.5", "CONCURRENCY \"2.5\" is not an integer"},
      {"closed:65537", "CONCURRENCY 65537 is outside [1, 65536]"},
      {"trace", "no file, expected trace:FILE"},
      {"trace:", "no file, expected trace:FILE"},
  };
  for (const auto& [value, message] : cases) {
    const auto spec = ParseArrivals(value);
    EXPECT_EQ(spec.status().code(), absl::StatusCode::kInvalidArgument) << value;
    EXPECT_TRUE(absl::StrContains(spec.status().message(), message)) << spec.status();
  }
}

}  // namespace
}  // namespace shoal::loadgen
