#include "runtime/device/cpu/soft_fma.h"

#include <emmintrin.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <random>

#include "gtest/gtest.h"

#include "runtime/device/cpu/flush_denormals.h"

namespace shoal::cpu {
namespace {

// The correctly rounded a * b + c with flushing, from the library's fma; it keeps no flush mode on
// every machine, so the inputs and the result are flushed by hand.
float Flushed(float x) { return std::fpclassify(x) == FP_SUBNORMAL ? std::copysign(0.0f, x) : x; }
float Expected(float a, float b, float c) {
  const float exact = std::fma(Flushed(a), Flushed(b), Flushed(c));
  return Flushed(exact);
}

float Soft(float a, float b, float c) {
  const FlushDenormals flush;
  volatile float x = a, y = b, z = c;  // nothing moves out of the scope
  volatile float result = _mm_cvtss_f32(SoftFma(_mm_set1_ps(x), _mm_set1_ps(y), _mm_set1_ps(z)));
  return result;
}

void ExpectEqual(float a, float b, float c) {
  const float expected = Expected(a, b, c), got = Soft(a, b, c);
  if (std::isnan(expected)) {
    EXPECT_TRUE(std::isnan(got));
    return;
  }
  // A result that rounds up to the smallest normal number from below is tiny only before rounding:
  // both are right by IEEE, and x86 keeps it; std::fma without flushing gives the same normal
  // number.
  ASSERT_EQ(std::bit_cast<uint32_t>(got), std::bit_cast<uint32_t>(expected))
      << a << " * " << b << " + " << c;
}

TEST(SoftFma, EqualsTheLibraryOverAllBitPatterns) {
  std::mt19937 random(3);
  for (int i = 0; i < 400000; ++i) {
    const auto draw = [&] { return std::bit_cast<float>(static_cast<uint32_t>(random())); };
    ExpectEqual(draw(), draw(), draw());
  }
}

TEST(SoftFma, EqualsTheLibraryWhereTermsCancelOrTie) {
  std::mt19937 random(4);
  for (int i = 0; i < 400000; ++i) {
    // Few mantissa bits and near exponents: cancellations and exact ties are common.
    const auto draw = [&](int spread) {
      const auto bits = static_cast<uint32_t>(random());
      const uint32_t exponent = 127 + bits % static_cast<uint32_t>(spread);
      return std::bit_cast<float>((bits & 0x80000000u) | exponent << 23 |
                                  (bits >> 8 & 0x7ffu) << 12);
    };
    ExpectEqual(draw(3), draw(3), draw(30));
    // c just beside -a * b.
    const float a = draw(2), b = std::nextafter(draw(2), 8.0f);
    ExpectEqual(a, b, -(a * b));
    ExpectEqual(a, b, std::nextafter(-(a * b), 0.0f));
  }
}

TEST(SoftFma, ZerosInfinitiesAndTinyResults) {
  const float inf = INFINITY, tiny = 0x1p-126f;
  for (float a : {0.0f, -0.0f, 1.0f, -1.0f, inf, -inf, tiny, 0x1.8p-64f, 0x1.fffffep127f, NAN}) {
    for (float b : {0.0f, -0.0f, 1.0f, -1.0f, inf, tiny, 0x1.8p-63f, 0.5f, 2.0f}) {
      for (float c : {0.0f, -0.0f, tiny, -tiny, 0x1p-100f, -inf, inf, 1.0f, -1.0f})
        ExpectEqual(a, b, c);
    }
  }
}

}  // namespace
}  // namespace shoal::cpu
