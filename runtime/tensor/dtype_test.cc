#include "runtime/tensor/dtype.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>

#include "gtest/gtest.h"

namespace shoal {
namespace {

float Float(uint32_t bits) { return std::bit_cast<float>(bits); }

// The neighbour among finite bf16 values that is nearer to f; a tie goes to the
// even one. Written by search, not by bit tricks.
uint16_t NearestBf16(float f) {
  const uint32_t u = std::bit_cast<uint32_t>(f);
  const auto down = static_cast<uint16_t>(u >> 16);
  const double low = BF16{down}.ToFloat();
  if (low == f) return down;
  const auto up = static_cast<uint16_t>(down + 1);
  // Above the largest finite value the next step counts as 2^128.
  const double high =
      std::isinf(BF16{up}.ToFloat()) ? std::copysign(0x1p128, f) : BF16{up}.ToFloat();
  const double to_low = std::abs(f - low), to_high = std::abs(high - f);
  if (to_low != to_high) return to_low < to_high ? down : up;
  return down % 2 == 0 ? down : up;
}

TEST(Bf16, EveryValueSurvivesTheRoundTrip) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const BF16 value{static_cast<uint16_t>(bits)};
    if (std::isnan(value.ToFloat())) {
      const BF16 back = BF16::FromFloat(value.ToFloat());
      EXPECT_TRUE(std::isnan(back.ToFloat())) << bits;
      EXPECT_NE(back.bits & 0x40, 0) << "quiet " << bits;
    } else {
      ASSERT_EQ(BF16::FromFloat(value.ToFloat()), value) << bits;
    }
  }
}

TEST(Bf16, RoundsToNearestEvenAroundEveryValue) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    if ((bits & 0x7f80) == 0x7f80) continue;  // infinities and NaN
    for (uint32_t low : {1u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu}) {
      const float f = Float(bits << 16 | low);
      ASSERT_EQ(BF16::FromFloat(f).bits, NearestBf16(f)) << bits << " " << low;
    }
  }
}

TEST(Bf16, NanWithALowPayloadStaysNan) {
  EXPECT_TRUE(std::isnan(BF16::FromFloat(Float(0x7f800001)).ToFloat()));
  EXPECT_TRUE(std::isnan(BF16::FromFloat(Float(0xffffffff)).ToFloat()));
}

// The definition, in double.
double E4m3Value(uint8_t bits) {
  const int exponent = bits >> 3 & 15, mantissa = bits & 7;
  const double magnitude =
      exponent == 0 ? std::ldexp(mantissa, -9) : std::ldexp(8 + mantissa, exponent - 10);
  return bits & 0x80 ? -magnitude : magnitude;
}

uint8_t NearestE4m3(double f) {
  const bool negative = std::signbit(f);
  const double magnitude = std::abs(f);
  uint8_t best = 0;
  for (int code = 0; code <= 0x7e; ++code) {
    const double d = std::abs(E4m3Value(static_cast<uint8_t>(code)) - magnitude);
    const double b = std::abs(E4m3Value(best) - magnitude);
    if (d < b || (d == b && code % 2 == 0)) best = static_cast<uint8_t>(code);
  }
  return static_cast<uint8_t>(best | (negative ? 0x80 : 0));
}

TEST(F8E4m3, EveryCodeHasItsValueAndSurvivesTheRoundTrip) {
  for (int code = 0; code < 256; ++code) {
    const F8E4M3 value{static_cast<uint8_t>(code)};
    if ((code & 0x7f) == 0x7f) {
      EXPECT_TRUE(std::isnan(value.ToFloat()));
      EXPECT_EQ(F8E4M3::FromFloat(value.ToFloat()), value);
      continue;
    }
    EXPECT_EQ(value.ToFloat(), E4m3Value(value.bits)) << code;
    EXPECT_EQ(std::signbit(value.ToFloat()), code >= 0x80) << code;
    EXPECT_EQ(F8E4M3::FromFloat(value.ToFloat()), value) << code;
  }
  EXPECT_EQ(F8E4M3{0x7e}.ToFloat(), 448);
}

TEST(F8E4m3, EveryValueIsExactInBf16) {
  for (int code = 0; code < 256; ++code) {
    if ((code & 0x7f) == 0x7f) continue;
    const float f = F8E4M3{static_cast<uint8_t>(code)}.ToFloat();
    EXPECT_EQ(BF16::FromFloat(f).ToFloat(), f) << code;
  }
}

TEST(F8E4m3, RoundsEveryBf16ToNearestEvenAndSaturates) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float f = BF16{static_cast<uint16_t>(bits)}.ToFloat();
    if (std::isnan(f)) {
      EXPECT_EQ(F8E4M3::FromFloat(f).bits & 0x7f, 0x7f);
    } else {
      ASSERT_EQ(F8E4M3::FromFloat(f).bits, NearestE4m3(f)) << bits;
    }
  }
}

TEST(F8E4m3, RoundsFloatsNextToEveryTieToNearestEven) {
  for (int code = 0; code < 0x7e; ++code) {
    const double low = E4m3Value(static_cast<uint8_t>(code));
    const double high = E4m3Value(static_cast<uint8_t>(code + 1));
    const auto tie = static_cast<float>((low + high) / 2);
    for (float f : {std::nextafter(tie, 0.0f), tie, std::nextafter(tie, 1000.0f)}) {
      ASSERT_EQ(F8E4M3::FromFloat(f).bits, NearestE4m3(f)) << code;
      ASSERT_EQ(F8E4M3::FromFloat(-f).bits, NearestE4m3(-f)) << code;
    }
  }
}

TEST(F8E4m3, RoundsRandomFloats) {
  std::mt19937 random(7);
  for (int i = 0; i < 20000; ++i) {
    const float f = Float(static_cast<uint32_t>(random()));
    if (std::isnan(f) || std::isinf(f)) continue;
    ASSERT_EQ(F8E4M3::FromFloat(f).bits, NearestE4m3(f)) << f;
  }
  const float inf = std::numeric_limits<float>::infinity();
  EXPECT_EQ(F8E4M3::FromFloat(inf).bits, 0x7e);
  EXPECT_EQ(F8E4M3::FromFloat(-inf).bits, 0xfe);
}

TEST(DTypes, HaveSafetensorsNames) {
  EXPECT_EQ(DTypeName(DType::kF32), "F32");
  EXPECT_EQ(DTypeName(DType::kBF16), "BF16");
  EXPECT_EQ(DTypeName(DType::kF8E4M3), "F8_E4M3");
  EXPECT_EQ(DTypeName(DType::kI32), "I32");
  EXPECT_EQ(DTypeName(DType::kU8), "U8");
}

}  // namespace
}  // namespace shoal
