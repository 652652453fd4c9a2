#include "runtime/base/random64.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace shoal {
namespace {

// Chance failures of these are below 2^-50.
TEST(Random64, ValuesDifferAndUseEveryBit) {
  std::set<uint64_t> seen;
  uint64_t ones = 0, zeros = 0;
  for (int i = 0; i < 101; ++i) {
    const uint64_t value = Random64();
    seen.insert(value);
    ones |= value;
    zeros |= ~value;
  }
  EXPECT_EQ(seen.size(), 101u);
  EXPECT_EQ(ones, ~uint64_t{0});
  EXPECT_EQ(zeros, ~uint64_t{0});
}

TEST(RandomBytes, HasTheSizeAskedForAndDiffers) {
  EXPECT_EQ(RandomBytes(0), "");
  for (const size_t size : {17u, 513u}) {
    const std::string a = RandomBytes(size);
    EXPECT_EQ(a.size(), size);
    EXPECT_NE(a, RandomBytes(size));
    EXPECT_NE(a.substr(size - 8), std::string(8, '\0'));
  }
}

}  // namespace
}  // namespace shoal
