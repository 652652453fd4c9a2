#ifndef SHOAL_RUNTIME_SAMPLING_LOGIT_KERNEL_LOOPS_H_
#define SHOAL_RUNTIME_SAMPLING_LOGIT_KERNEL_LOOPS_H_

#include <cstddef>
#include <cstdint>

#include "runtime/sampling/logit_kernels.h"

namespace shoal {

// The kernels for the vector types of `V`, in the extensions that gcc and clang share. Included by
// one source file per instruction set, each compiled for its own. Nothing here may call a function
// that another file also instantiates: the linker would keep one of the two.
template <typename V>
struct LogitKernelLoops {
  using Floats = typename V::Floats;
  using HalfFloats = typename V::HalfFloats;
  using Ints = typename V::Ints;
  using Doubles = typename V::Doubles;
  using Words = typename V::Words;
  static constexpr int kWidth = sizeof(Floats) / sizeof(float);
  static constexpr size_t kSteps = kBlockLogits / kWidth;

  // Unaligned, and of any type to the compiler's alias analysis.
  template <typename T>
  [[gnu::always_inline]] static void Load(const void* from, T& to) {
    __builtin_memcpy(&to, from, sizeof(T));
  }
  template <typename T>
  [[gnu::always_inline]] static void Store(const T& from, void* to) {
    __builtin_memcpy(to, &from, sizeof(T));
  }

  static bool Scan(const float* logits, size_t blocks, float* block_max) {
    Ints number = ~Ints{};  // -1 in the lanes where all were below +infinity, which NaN is not
    for (size_t b = 0; b < blocks; ++b, logits += kBlockLogits) {
      Floats most, v;
      Load(logits, most);
      number &= most < __builtin_inff();
      for (size_t s = 1; s < kSteps; ++s) {
        Load(logits + s * kWidth, v);
        number &= v < __builtin_inff();
        most = v > most ? v : most;
      }
      float lanes[kWidth];
      Store(most, lanes);
      for (int half = kWidth / 2; half > 0; half /= 2) {
        for (int i = 0; i < half; ++i) {
          lanes[i] = lanes[i + half] > lanes[i] ? lanes[i + half] : lanes[i];
        }
      }
      block_max[b] = lanes[0];
    }
    int32_t all = -1;
    for (int i = 0; i < kWidth; ++i) all &= number[i];
    return all != 0;
  }

  // x of WeightScale; -64 for what is below kLeastExponent, -infinity included.
  static void Exponents(const float* block, WeightScale scale, float* x) {
    for (size_t i = 0; i < kBlockLogits; i += kWidth) {
      Floats v;
      Load(block + i, v);
      v = (v - scale.largest) * scale.scale;
      v = v >= kLeastExponent ? v : Floats{} - 64.0f;
      Store(v, x + i);
    }
  }

  // 2^x for x in [-64, 0]: x = n + r with |r| <= 1/2, and 2^r by a minimax polynomial of degree 6
  // whose error, 2e-9, is a fraction of the float's own.
  static void Powers(const float* x, float* power) {
    for (size_t i = 0; i < kBlockLogits; i += kWidth) {
      Floats exponent;
      Load(x + i, exponent);
      constexpr float kToInteger = 0x1.8p23f;  // adding it rounds to the nearest integer
      const Floats shifted = exponent + kToInteger;
      const Floats r = exponent - (shifted - kToInteger);  // exact
      Floats p = r * 0x1.41fbbap-13f + 0x1.5f3e54p-10f;
      p = p * r + 0x1.3b2d4cp-7f;
      p = p * r + 0x1.c6aee8p-5f;
      p = p * r + 0x1.ebfbdcp-3f;
      p = p * r + 0x1.62e43p-1f;
      p = p * r + 1.0f;
      // The low bits of `shifted` hold n.
      const Ints scaled = (Ints)p + ((Ints)shifted << 23);
      Store((Floats)scaled, power + i);
    }
  }

  // Adding 2^8 leaves 2^-44 the last bit of a double's mantissa.
  static constexpr double kToWeight = 0x1p8;
  static constexpr uint64_t kToWeightBits = uint64_t{1023 + 8} << 52;

  static uint64_t SumBlock(const float* block, WeightScale scale) {
    alignas(64) float x[kBlockLogits];
    Exponents(block, scale, x);
    Powers(x, x);
    Words sum = {};
    for (size_t i = 0; i < kBlockLogits; i += kWidth / 2) {
      HalfFloats half;
      Load(x + i, half);
      sum += (Words)(__builtin_convertvector(half, Doubles) + kToWeight);
    }
    uint64_t total = 0;
    for (int i = 0; i < kWidth / 2; ++i) total += sum[i];
    return total - kBlockLogits * kToWeightBits;
  }

  static void WeighBlock(const float* block, WeightScale scale, uint64_t* weight, int32_t* bucket) {
    alignas(64) float x[kBlockLogits];
    Exponents(block, scale, x);
    for (size_t i = 0; i < kBlockLogits; ++i) {
      const auto b = static_cast<int32_t>(x[i] * -static_cast<float>(kBucketsPerBit));
      bucket[i] = b < kBuckets ? b : kNoBucket;
    }
    Powers(x, x);
    for (size_t i = 0; i < kBlockLogits; i += kWidth / 2) {
      HalfFloats half;
      Load(x + i, half);
      const Doubles shifted = __builtin_convertvector(half, Doubles) + kToWeight;
      Store((Words)shifted - kToWeightBits, weight + i);
    }
  }

  static bool AnyInBucket(const float* block, WeightScale scale, int32_t bucket) {
    alignas(64) float x[kBlockLogits];
    Exponents(block, scale, x);
    int32_t found = 0;
    for (size_t i = 0; i < kBlockLogits; ++i) {
      const auto b = static_cast<int32_t>(x[i] * -static_cast<float>(kBucketsPerBit));
      found |= b == bucket ? 1 : 0;
    }
    return found != 0;
  }

  static constexpr LogitKernels Table() { return {&Scan, &SumBlock, &WeighBlock, &AnyInBucket}; }
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_SAMPLING_LOGIT_KERNEL_LOOPS_H_
