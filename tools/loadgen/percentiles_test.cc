#include "tools/loadgen/percentiles.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace shoal::loadgen {
namespace {

std::vector<double> OneTo(int n) {
  std::vector<double> values;
  for (int i = 1; i <= n; ++i) values.push_back(i);
  std::shuffle(values.begin(), values.end(), std::mt19937(5));
  return values;
}

TEST(PercentilesTest, NearestRankOnKnownData) {
  const Percentiles hundred = PercentilesOf(OneTo(100));
  EXPECT_EQ(hundred.count, 100);
  EXPECT_EQ(hundred.mean, 50.5);
  EXPECT_EQ(hundred.p50, 50);
  EXPECT_EQ(hundred.p90, 90);
  EXPECT_EQ(hundred.p95, 95);
  EXPECT_EQ(hundred.p99, 99);
  EXPECT_EQ(hundred.max, 100);
  const Percentiles twenty = PercentilesOf(OneTo(20));
  EXPECT_EQ(twenty.p95, 19);  // 0.95 * 20 in floating point would be just above 19
  EXPECT_EQ(twenty.p99, 20);
  const Percentiles three = PercentilesOf({3, 1, 2});
  EXPECT_EQ(three.p50, 2);
  EXPECT_EQ(three.p90, 3);
}

TEST(PercentilesTest, OneAndNone) {
  const Percentiles one = PercentilesOf({0.25});
  EXPECT_EQ(one.p50, 0.25);
  EXPECT_EQ(one.p99, 0.25);
  EXPECT_EQ(PercentilesOf({}).count, 0);
  EXPECT_EQ(PercentilesOf({}).max, 0);
}

// The definition itself, over odd sizes.
TEST(PercentilesTest, AtLeastSoManyDoNotExceedItAndNoSmallerValueHasThat) {
  std::mt19937 random(9);
  for (int n = 1; n < 300; n += 7) {
    std::vector<double> values;
    for (int i = 0; i < n; ++i) values.push_back(static_cast<double>(random() % 50));
    const Percentiles p = PercentilesOf(values);
    const std::pair<int, double> all[] = {{50, p.p50}, {90, p.p90}, {95, p.p95}, {99, p.p99}};
    for (const auto& [percent, value] : all) {
      const auto up_to =
          std::count_if(values.begin(), values.end(), [v = value](double x) { return x <= v; });
      const auto below =
          std::count_if(values.begin(), values.end(), [v = value](double x) { return x < v; });
      EXPECT_GE(up_to * 100, percent * n);
      EXPECT_LT(below * 100, percent * n);
    }
  }
}

}  // namespace
}  // namespace shoal::loadgen
