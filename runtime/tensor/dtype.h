#ifndef SHOAL_RUNTIME_TENSOR_DTYPE_H_
#define SHOAL_RUNTIME_TENSOR_DTYPE_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace shoal {

enum class DType : uint8_t { kF32, kBF16, kF8E4M3, kI32, kU8 };

constexpr size_t SizeOf(DType t) {
  switch (t) {
    case DType::kF32:
    case DType::kI32:
      return 4;
    case DType::kBF16:
      return 2;
    case DType::kF8E4M3:
    case DType::kU8:
      return 1;
  }
  return 0;
}

std::string_view DTypeName(DType t);  // "F32", "BF16", "F8_E4M3", ... as safetensors spells them

// The high half of a float32.
struct BF16 {
  uint16_t bits = 0;

  static BF16 FromFloat(float f);  // round to nearest even; a NaN stays a (quiet) NaN
  float ToFloat() const { return std::bit_cast<float>(uint32_t{bits} << 16); }
  friend bool operator==(BF16, BF16) = default;
};

// OCP 8-bit float, 4 exponent bits of bias 7, 3 mantissa bits, no infinity; 0x7f and 0xff are NaN;
// the largest value is 448.  Every value is exact in bf16.
struct F8E4M3 {
  uint8_t bits = 0;

  static F8E4M3 FromFloat(float f);  // round to nearest even, saturates to +-448; NaN stays NaN
  float ToFloat() const;
  friend bool operator==(F8E4M3, F8E4M3) = default;
};

template <typename T>
constexpr DType DTypeOf();
template <>
constexpr DType DTypeOf<float>() {
  return DType::kF32;
}
template <>
constexpr DType DTypeOf<BF16>() {
  return DType::kBF16;
}
template <>
constexpr DType DTypeOf<F8E4M3>() {
  return DType::kF8E4M3;
}
template <>
constexpr DType DTypeOf<int32_t>() {
  return DType::kI32;
}
template <>
constexpr DType DTypeOf<uint8_t>() {
  return DType::kU8;
}

inline BF16 BF16::FromFloat(float f) {
  const uint32_t u = std::bit_cast<uint32_t>(f);
  if ((u & 0x7fffffffu) > 0x7f800000u) return {static_cast<uint16_t>((u >> 16) | 0x40)};
  return {static_cast<uint16_t>((u + 0x7fffu + ((u >> 16) & 1)) >> 16)};
}

}  // namespace shoal

#endif  // SHOAL_RUNTIME_TENSOR_DTYPE_H_
