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
  using Unsigned [[gnu::vector_size(sizeof(Ints))]] = uint32_t;
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

  static constexpr size_t kAhead = 1024;  // floats

  static bool Scan(const float* logits, size_t blocks, float* block_max) {
    Ints number = ~Ints{};  // -1 in the lanes where all were below +infinity, which NaN is not
    for (size_t b = 0; b < blocks; ++b, logits += kBlockLogits) {
      // The hardware's own look ahead ends at a page; a prefetch beyond the row does nothing.
      for (size_t line = 0; line < kBlockLogits; line += 16) {
        __builtin_prefetch(logits + kAhead + line);
      }
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

  static void MaskBlock(float* block, uint64_t allowed) {
    Ints lane_bit;
    for (int i = 0; i < kWidth; ++i) lane_bit[i] = 1 << i;
    for (size_t i = 0; i < kBlockLogits; i += kWidth, allowed >>= kWidth) {
      const auto low = static_cast<int32_t>(allowed & ((uint64_t{1} << kWidth) - 1));
      Floats v;
      Load(block + i, v);
      v = ((Ints{} + low) & lane_bit) != 0 ? v : Floats{} - __builtin_inff();
      Store(v, block + i);
    }
  }

  // x of WeightScale; -64 for what is below kLeastExponent, -infinity included.
  [[gnu::always_inline]] static void Exponents(const float* logits, WeightScale scale, Floats& x) {
    Load(logits, x);
    x = (x - scale.largest) * scale.scale;
    x = x >= kLeastExponent ? x : Floats{} - 64.0f;
  }

  // 2^x for x in [-64, 0]: x = n + r with |r| <= 1/2, and 2^r by a minimax polynomial of degree 6
  // whose error, 2e-9, is a fraction of the float's own.
  [[gnu::always_inline]] static void Powers(const Floats& x, Floats& power) {
    constexpr float kToInteger = 0x1.8p23f;  // adding it rounds to the nearest integer
    const Floats shifted = x + kToInteger;
    const Floats r = x - (shifted - kToInteger);  // exact
    Floats p = r * 0x1.41fbbap-13f + 0x1.5f3e54p-10f;
    p = p * r + 0x1.3b2d4cp-7f;
    p = p * r + 0x1.c6aee8p-5f;
    p = p * r + 0x1.ebfbdcp-3f;
    p = p * r + 0x1.62e43p-1f;
    p = p * r + 1.0f;
    // The low bits of `shifted` hold n.
    power = (Floats)((Unsigned)p + ((Unsigned)shifted << 23));
  }

  // Adding 2^8 leaves 2^-44 the last bit of a double's mantissa: weights plus kToWeightBits.
  static constexpr double kToWeight = 0x1p8;
  static constexpr uint64_t kToWeightBits = uint64_t{1023 + 8} << 52;
  [[gnu::always_inline]] static void Weights(const Floats& power, Words& low, Words& high) {
    float lanes[kWidth];
    HalfFloats half;
    Store(power, lanes);
    Load(lanes, half);
    low = (Words)(__builtin_convertvector(half, Doubles) + kToWeight);
    Load(lanes + kWidth / 2, half);
    high = (Words)(__builtin_convertvector(half, Doubles) + kToWeight);
  }

  static uint64_t Sum(const float* const* blocks, const float* block_max, size_t count,
                      WeightScale scale) {
    Words low_sum = {}, high_sum = {};
    uint64_t offset = 0;
    for (size_t b = 0; b < count; ++b) {
      // Products with a positive scale keep the order: all of another block weighs nothing.
      if (!((block_max[b] - scale.largest) * scale.scale >= kLeastExponent)) continue;
      for (size_t i = 0; i < kBlockLogits; i += kWidth) {
        Floats x;
        Words low, high;
        Exponents(blocks[b] + i, scale, x);
        Powers(x, x);
        Weights(x, low, high);
        low_sum += low;
        high_sum += high;
      }
      offset += kBlockLogits * kToWeightBits;
    }
    uint64_t total = 0;
    for (int i = 0; i < kWidth / 2; ++i) total += low_sum[i] + high_sum[i];
    return total - offset;
  }

  static void WeighBlock(const float* block, WeightScale scale, uint64_t* weight, int32_t* bucket) {
    for (size_t i = 0; i < kBlockLogits; i += kWidth) {
      Floats x;
      Ints b;
      Words low, high;
      Exponents(block + i, scale, x);
      Buckets(x, b);
      Store(b, bucket + i);
      Powers(x, x);
      Weights(x, low, high);
      Store(low - kToWeightBits, weight + i);
      Store(high - kToWeightBits, weight + i + kWidth / 2);
    }
  }

  [[gnu::always_inline]] static void Buckets(const Floats& x, Ints& bucket) {
    bucket = __builtin_convertvector(x * -static_cast<float>(kBucketsPerBit), Ints);
    bucket = bucket < kNoBucket ? bucket : Ints{} + kNoBucket;
  }

  static bool AnyInBucket(const float* block, WeightScale scale, int32_t bucket) {
    Ints found = {};
    for (size_t i = 0; i < kBlockLogits; i += kWidth) {
      Floats x;
      Ints b;
      Exponents(block + i, scale, x);
      Buckets(x, b);
      found |= b == bucket;
    }
    int32_t any = 0;
    for (int i = 0; i < kWidth; ++i) any |= found[i];
    return any != 0;
  }

  static constexpr LogitKernels Table() {
    return {&Scan, &MaskBlock, &Sum, &WeighBlock, &AnyInBucket};
  }
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_SAMPLING_LOGIT_KERNEL_LOOPS_H_
