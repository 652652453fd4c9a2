#include "runtime/tensor/dtype.h"

#include <bit>
#include <cstdint>
#include <string_view>

namespace shoal {

std::string_view DTypeName(DType t) {
  switch (t) {
    case DType::kF32:
      return "F32";
    case DType::kBF16:
      return "BF16";
    case DType::kF8E4M3:
      return "F8_E4M3";
    case DType::kI32:
      return "I32";
    case DType::kU8:
      return "U8";
  }
  return "?";
}

F8E4M3 F8E4M3::FromFloat(float f) {
  const uint32_t u = std::bit_cast<uint32_t>(f);
  const auto sign = static_cast<uint8_t>((u >> 24) & 0x80);
  const uint32_t magnitude = u & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return {static_cast<uint8_t>(sign | 0x7f)};
  // 464 lies half way between 448 and the 480 that would be NaN: all above
  // saturate, and 464 itself does too.
  if (magnitude >= std::bit_cast<uint32_t>(464.0f)) {
    return {static_cast<uint8_t>(sign | 0x7e)};
  }
  if (magnitude < std::bit_cast<uint32_t>(0x1p-6f)) {
    // Subnormal: a multiple of 2^-9. Adding 2^14 puts that bit at the end of
    // the float's mantissa, and the addition rounds to nearest even.
    const float shifted = std::bit_cast<float>(magnitude) + 0x1p14f;
    const uint32_t units = std::bit_cast<uint32_t>(shifted) - std::bit_cast<uint32_t>(0x1p14f);
    return {static_cast<uint8_t>(sign | units)};
  }
  // Normal: keep 3 of 23 mantissa bits, then change the bias from 127 to 7.
  const uint32_t rounded = (magnitude + 0x7ffffu + ((magnitude >> 20) & 1)) >> 20;
  return {static_cast<uint8_t>(sign | (rounded - (120u << 3)))};
}

float F8E4M3::ToFloat() const {
  const uint32_t sign = uint32_t{bits & 0x80u} << 24;
  const uint32_t magnitude = bits & 0x7fu;
  if (magnitude == 0x7f) return std::bit_cast<float>(sign | 0x7fc00000u);
  if (magnitude < 8) {  // subnormal: units of 2^-9
    const float value = static_cast<float>(magnitude) * 0x1p-9f;
    return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(value));
  }
  return std::bit_cast<float>(sign | ((magnitude + (120u << 3)) << 20));
}

}  // namespace shoal
