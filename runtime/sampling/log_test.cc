#include "runtime/sampling/log.h"

#include <cmath>

#include "gtest/gtest.h"

namespace shoal {
namespace {

TEST(LogTest, AgreesWithTheCLibraryToTheLastDigits) {
  double worst = 0;
  for (double x = 1e-12; x < 1e12; x *= 1.000123) {
    worst =
        std::fmax(worst, std::fabs(Log(x) - std::log(x)) / std::fmax(1, std::fabs(std::log(x))));
  }
  EXPECT_LT(worst, 4e-16);
}

TEST(LogTest, IsExactAtPowersOfTwo) {
  EXPECT_EQ(Log(1), 0);
  for (int n = -40; n <= 60; ++n) EXPECT_EQ(Log(std::ldexp(1.0, n)), n * kLn2) << n;
}

}  // namespace
}  // namespace shoal
