#ifndef SHOAL_RUNTIME_DEVICE_CPU_LANES_AVX2_H_
#define SHOAL_RUNTIME_DEVICE_CPU_LANES_AVX2_H_

#include <immintrin.h>

#include <cstdint>

#include "runtime/tensor/dtype.h"

namespace shoal::cpu {

// Sixteen float lanes in two AVX2 registers, lanes 0..7 and 8..15. lanes_portable.h says what each
// function means. REQUIRES: the file is compiled with SHOAL_AVX2_COPTS, and the CPU has AVX2 and
// FMA.
struct LanesAvx2 {
  struct F {
    __m256 lo, hi;
  };

  static F Zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
  static F Set(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
  static F Load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
  static F LoadN(const float* p, int n) {
    float whole[16] = {};
    for (int i = 0; i < n; ++i) whole[i] = p[i];
    return Load(whole);
  }
  static void Store(float* p, F x) {
    _mm256_storeu_ps(p, x.lo);
    _mm256_storeu_ps(p + 8, x.hi);
  }
  static void StoreN(float* p, F x, int n) {
    float whole[16];
    Store(whole, x);
    for (int i = 0; i < n; ++i) p[i] = whole[i];
  }

  static F Load(const BF16* p) { return {Widen(p), Widen(p + 8)}; }
  static F LoadN(const BF16* p, int n) {
    BF16 whole[16] = {};
    for (int i = 0; i < n; ++i) whole[i] = p[i];
    return Load(whole);
  }
  static void Store(BF16* p, F x) {
    // packus works within 128-bit halves; the permutation puts them in order.
    const __m256i packed = _mm256_packus_epi32(Round(x.lo), Round(x.hi));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_permute4x64_epi64(packed, 0xd8));
  }
  static void StoreN(BF16* p, F x, int n) {
    BF16 whole[16];
    Store(whole, x);
    for (int i = 0; i < n; ++i) p[i] = whole[i];
  }
  static F StoreRounded(BF16* p, F x) {
    Store(p, x);
    return Load(p);
  }

  struct Pair {
    F even, odd;
  };
  static Pair LoadPairs(const BF16* p) {
    const auto* q = reinterpret_cast<const __m256i*>(p);
    return Split(_mm256_loadu_si256(q), _mm256_loadu_si256(q + 1));
  }
  static Pair SetPair(const BF16* p) {
    uint32_t bits;
    __builtin_memcpy(&bits, p, sizeof bits);
    const __m256i x = _mm256_set1_epi32(static_cast<int>(bits));
    return Split(x, x);
  }
  static void Interleave(const BF16* low, const BF16* high, BF16* out) {
    for (int half = 0; half < 2; ++half) {
      const __m256i a =
          _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(low + 8 * half)));
      const __m256i b =
          _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(high + 8 * half)));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + 16 * half),
                          _mm256_or_si256(a, _mm256_slli_epi32(b, 16)));
    }
  }

  static void Transpose(const uint32_t* in, int64_t in_stride, uint32_t* out, int64_t out_stride) {
    for (int i = 0; i < 16; ++i) {
      for (int j = 0; j < 16; ++j) out[j * out_stride + i] = in[i * in_stride + j];
    }
  }

  static F Add(F a, F b) { return {_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi)}; }
  static F Sub(F a, F b) { return {_mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi)}; }
  static F Mul(F a, F b) { return {_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi)}; }
  static F Div(F a, F b) { return {_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi)}; }
  static F Sqrt(F a) { return {_mm256_sqrt_ps(a.lo), _mm256_sqrt_ps(a.hi)}; }
  static F Fma(F a, F b, F c) {
    return {_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
  }
  static F Max(F a, F b) { return {_mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi)}; }
  static F Min(F a, F b) { return {_mm256_min_ps(a.lo, b.lo), _mm256_min_ps(a.hi, b.hi)}; }
  static F ZeroIfLess(F value, F a, F b) {
    return {_mm256_and_ps(_mm256_cmp_ps(a.lo, b.lo, _CMP_NLT_UQ), value.lo),
            _mm256_and_ps(_mm256_cmp_ps(a.hi, b.hi, _CMP_NLT_UQ), value.hi)};
  }
  static F PowerOfTwo(F n) { return {PowerOfTwo(n.lo), PowerOfTwo(n.hi)}; }

  static float Sum(F x) {
    const __m256 a = _mm256_add_ps(x.lo, x.hi);
    const __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    const __m128 c = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_add_ss(c, _mm_shuffle_ps(c, c, 1)));
  }
  static float MaxOf(F x) {
    const __m256 a = _mm256_max_ps(x.lo, x.hi);
    const __m128 b = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    const __m128 c = _mm_max_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_max_ss(c, _mm_shuffle_ps(c, c, 1)));
  }

 private:
  static __m256 Widen(const BF16* p) {
    const __m256i x = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    return _mm256_castsi256_ps(_mm256_slli_epi32(x, 16));
  }
  static Pair Split(__m256i lo, __m256i hi) {
    const __m256i mask = _mm256_set1_epi32(static_cast<int>(0xffff0000u));
    return {{_mm256_castsi256_ps(_mm256_slli_epi32(lo, 16)),
             _mm256_castsi256_ps(_mm256_slli_epi32(hi, 16))},
            {_mm256_castsi256_ps(_mm256_and_si256(lo, mask)),
             _mm256_castsi256_ps(_mm256_and_si256(hi, mask))}};
  }
  static __m256i Round(__m256 x) {
    const __m256i u = _mm256_castps_si256(x);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(u, 16), _mm256_set1_epi32(1));
    const __m256i rounded = _mm256_add_epi32(_mm256_add_epi32(u, _mm256_set1_epi32(0x7fff)), odd);
    const __m256i quiet = _mm256_or_si256(u, _mm256_set1_epi32(0x400000));
    const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
    return _mm256_srli_epi32(_mm256_blendv_epi8(rounded, quiet, nan), 16);
  }
  static __m256 PowerOfTwo(__m256 n) {
    const __m256i exponent = _mm256_add_epi32(_mm256_cvttps_epi32(n), _mm256_set1_epi32(127));
    return _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23));
  }
};

}  // namespace shoal::cpu

#endif  // SHOAL_RUNTIME_DEVICE_CPU_LANES_AVX2_H_
