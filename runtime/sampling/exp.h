#ifndef SHOAL_RUNTIME_SAMPLING_EXP_H_
#define SHOAL_RUNTIME_SAMPLING_EXP_H_

#include <bit>
#include <cstdint>

namespace shoal {

// e^x for x <= 0, the same bits on every machine (rule N7: libm's result differs
// between its versions). 0 below -87, where float32 runs out of normal numbers.
// x = n ln 2 + r with |r| <= ln 2 / 2; e^r by its Taylor sum to degree 7 in
// Horner's order, which is within 2 units in the last place.
inline float ExpNonPositive(float x) {
  if (!(x >= -87.0f)) return 0.0f;
  constexpr float kLog2E = 0x1.715476p+0f;
  constexpr float kLn2High = 0x1.62e4p-1f, kLn2Low = 0x1.7f7d1cp-20f;
  const auto n = static_cast<int32_t>(x * kLog2E - 0.5f);  // nearest: x <= 0
  const auto fn = static_cast<float>(n);
  const float r = (x - fn * kLn2High) - fn * kLn2Low;  // fn * high is exact
  float p = 1.0f / 5040.0f;
  p = p * r + 1.0f / 720.0f;
  p = p * r + 1.0f / 120.0f;
  p = p * r + 1.0f / 24.0f;
  p = p * r + 1.0f / 6.0f;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  return p * std::bit_cast<float>(static_cast<uint32_t>(n + 127) << 23);
}

}  // namespace shoal

#endif  // SHOAL_RUNTIME_SAMPLING_EXP_H_
