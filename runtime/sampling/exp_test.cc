#include "runtime/sampling/exp.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "gtest/gtest.h"

namespace shoal {
namespace {

TEST(ExpTest, CloseToTheTrueValue) {
  EXPECT_EQ(ExpNonPositive(0), 1);
  EXPECT_EQ(ExpNonPositive(-0.0f), 1);
  EXPECT_EQ(ExpNonPositive(-std::numeric_limits<float>::infinity()), 0);
  EXPECT_EQ(ExpNonPositive(-88), 0);
  double worst = 0;
  for (int i = 0; i <= 870'000; ++i) {
    const float x = -1e-4f * static_cast<float>(i);
    if (x < -87.0f) break;
    const double truth = std::exp(static_cast<double>(x));
    worst = std::max(worst, std::abs(ExpNonPositive(x) / truth - 1));
  }
  EXPECT_LT(worst, 2 * 0x1p-23);
}

}  // namespace
}  // namespace shoal
