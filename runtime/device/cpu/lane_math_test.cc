#include "runtime/device/cpu/lane_math.h"

#include <bit>
#include <cmath>
#include <cstdint>

#include "gtest/gtest.h"

#include "runtime/device/cpu/flush_denormals.h"
#include "runtime/device/cpu/fp8.h"
#include "runtime/device/cpu/lanes_portable.h"
#include "runtime/tensor/dtype.h"

namespace shoal::cpu {
namespace {

using V = LanesPortable;

float First(V::F x) {
  float lanes[16];
  V::Store(lanes, x);
  return lanes[0];
}

TEST(Exp, IsWithinTwoUnitsInTheLastPlace) {
  double worst = 0;
  for (float x = -86.9f; x < 88; x += 0.00137f) {
    const double exact = std::exp(double{x});
    const auto nearest = static_cast<float>(exact);
    const double unit = double{std::nextafter(nearest, INFINITY)} - nearest;
    worst = std::max(worst, std::abs(First(Exp<V>(V::Set(x))) - exact) / unit);
  }
  EXPECT_LE(worst, 2);
  EXPECT_GT(worst, 0.3);  // it was measured at all
}

TEST(Exp, EndsAreCleanAndNanStays) {
  EXPECT_EQ(First(Exp<V>(V::Set(0))), 1);
  EXPECT_EQ(First(Exp<V>(V::Set(-INFINITY))), 0);
  EXPECT_EQ(First(Exp<V>(V::Set(-87.5f))), 0);
  EXPECT_GT(First(Exp<V>(V::Set(-86.99f))), 1e-38f);
  EXPECT_TRUE(std::isfinite(First(Exp<V>(V::Set(INFINITY)))));
  EXPECT_TRUE(std::isnan(First(Exp<V>(V::Set(NAN)))));
}

TEST(Sigmoid, IsCloseEverywhereAndSymmetricAtZero) {
  EXPECT_EQ(First(Sigmoid<V>(V::Zero())), 0.5f);
  for (float x = -80; x < 80; x += 0.173f) {
    EXPECT_NEAR(First(Sigmoid<V>(V::Set(x))) * (1 + std::exp(-double{x})), 1, 1e-6) << x;
  }
}

TEST(Sum, FollowsTheTreeOfRuleN8) {
  float x[16];
  for (int i = 0; i < 16; ++i) x[i] = std::ldexp(1.0f + static_cast<float>(i) / 7, (i * 5) % 13);
  float tree[16];
  for (int i = 0; i < 16; ++i) tree[i] = x[i];
  for (int width = 8; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) tree[i] += tree[i + width];
  }
  EXPECT_EQ(V::Sum(V::Load(x)), tree[0]);
}

TEST(Fp8Table, HoldsEveryCodeExactly) {
  for (int code = 0; code < 256; ++code) {
    const float value = F8E4M3{static_cast<uint8_t>(code)}.ToFloat();
    const float table = BF16{kFp8Table.bits[code]}.ToFloat();
    EXPECT_EQ(std::bit_cast<uint32_t>(table), std::bit_cast<uint32_t>(value)) << code;
  }
}

}  // namespace
}  // namespace shoal::cpu
