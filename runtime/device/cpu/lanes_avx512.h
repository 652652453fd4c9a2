#ifndef SHOAL_RUNTIME_DEVICE_CPU_LANES_AVX512_H_
#define SHOAL_RUNTIME_DEVICE_CPU_LANES_AVX512_H_

#include <immintrin.h>

#include <cstdint>

#include "runtime/tensor/dtype.h"

// GCC 12 takes the "undefined" operand inside its own intrinsics for ours (GCC bug 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

namespace shoal::cpu {

// Sixteen float lanes in one AVX-512 register (F, BW, DQ, VL: Skylake-SP and later).
// lanes_portable.h says what each function means. REQUIRES: the file is compiled with
// SHOAL_AVX512_COPTS, and the CPU has them.
struct LanesAvx512 {
  using F = __m512;

  static F Zero() { return _mm512_setzero_ps(); }
  static F Set(float x) { return _mm512_set1_ps(x); }
  static F Load(const float* p) { return _mm512_loadu_ps(p); }
  static F LoadN(const float* p, int n) { return _mm512_maskz_loadu_ps(Mask(n), p); }
  static void Store(float* p, F x) { _mm512_storeu_ps(p, x); }
  static void StoreN(float* p, F x, int n) { _mm512_mask_storeu_ps(p, Mask(n), x); }

  static F Load(const BF16* p) {
    return Widen(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static F LoadN(const BF16* p, int n) { return Widen(_mm256_maskz_loadu_epi16(Mask(n), p)); }
  static void Store(BF16* p, F x) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), Round(x)); }
  static void StoreN(BF16* p, F x, int n) { _mm256_mask_storeu_epi16(p, Mask(n), Round(x)); }
  static F StoreRounded(BF16* p, F x) {
    Store(p, x);
    return Load(p);
  }

  struct Pair {
    F even, odd;
  };
  static Pair LoadPairs(const BF16* p) { return Split(_mm512_loadu_si512(p)); }
  static Pair SetPair(const BF16* p) {
    uint32_t bits;
    __builtin_memcpy(&bits, p, sizeof bits);
    return Split(_mm512_set1_epi32(static_cast<int>(bits)));
  }
  static void Interleave(const BF16* low, const BF16* high, BF16* out) {
    const __m512i a =
        _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(low)));
    const __m512i b =
        _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(high)));
    _mm512_storeu_si512(out, _mm512_or_si512(a, _mm512_slli_epi32(b, 16)));
  }

  // Four columns at a time: 128-bit lane i of part q is words of row 4 i + q.
  static void Transpose(const uint32_t* in, int64_t in_stride, uint32_t* out, int64_t out_stride) {
    for (int column = 0; column < 16; column += 4, out += 4 * out_stride) {
      __m512i part[4];
      for (int q = 0; q < 4; ++q) {
        const uint32_t* row = in + q * in_stride + column;
        const __m512i a = _mm512_castsi128_si512(Words(row));
        const __m512i b = _mm512_inserti32x4(a, Words(row + 4 * in_stride), 1);
        const __m512i c = _mm512_inserti32x4(b, Words(row + 8 * in_stride), 2);
        part[q] = _mm512_inserti32x4(c, Words(row + 12 * in_stride), 3);
      }
      const __m512i low01 = _mm512_unpacklo_epi32(part[0], part[1]);
      const __m512i low23 = _mm512_unpacklo_epi32(part[2], part[3]);
      const __m512i high01 = _mm512_unpackhi_epi32(part[0], part[1]);
      const __m512i high23 = _mm512_unpackhi_epi32(part[2], part[3]);
      _mm512_storeu_si512(out, _mm512_unpacklo_epi64(low01, low23));
      _mm512_storeu_si512(out + out_stride, _mm512_unpackhi_epi64(low01, low23));
      _mm512_storeu_si512(out + 2 * out_stride, _mm512_unpacklo_epi64(high01, high23));
      _mm512_storeu_si512(out + 3 * out_stride, _mm512_unpackhi_epi64(high01, high23));
    }
  }

  static F Add(F a, F b) { return _mm512_add_ps(a, b); }
  static F Sub(F a, F b) { return _mm512_sub_ps(a, b); }
  static F Mul(F a, F b) { return _mm512_mul_ps(a, b); }
  static F Div(F a, F b) { return _mm512_div_ps(a, b); }
  static F Sqrt(F a) { return _mm512_sqrt_ps(a); }
  static F Fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
  static F Max(F a, F b) { return _mm512_max_ps(a, b); }
  static F Min(F a, F b) { return _mm512_min_ps(a, b); }
  static F ZeroIfLess(F value, F a, F b) {
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(a, b, _CMP_NLT_UQ), value);
  }
  static F PowerOfTwo(F n) {
    const __m512i exponent = _mm512_add_epi32(_mm512_cvttps_epi32(n), _mm512_set1_epi32(127));
    return _mm512_castsi512_ps(_mm512_slli_epi32(exponent, 23));
  }

  static float Sum(F x) {
    const __m256 a = _mm256_add_ps(_mm512_castps512_ps256(x), Upper(x));
    const __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    const __m128 c = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_add_ss(c, _mm_shuffle_ps(c, c, 1)));
  }
  static float MaxOf(F x) {
    const __m256 a = _mm256_max_ps(_mm512_castps512_ps256(x), Upper(x));
    const __m128 b = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    const __m128 c = _mm_max_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_max_ss(c, _mm_shuffle_ps(c, c, 1)));
  }

 private:
  static __mmask16 Mask(int n) { return static_cast<__mmask16>((1u << n) - 1); }
  static __m128i Words(const uint32_t* p) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  }
  static __m256 Upper(F x) { return _mm512_extractf32x8_ps(x, 1); }
  static F Widen(__m256i x) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16));
  }
  static Pair Split(__m512i x) {
    return {
        _mm512_castsi512_ps(_mm512_slli_epi32(x, 16)),
        _mm512_castsi512_ps(_mm512_and_si512(x, _mm512_set1_epi32(static_cast<int>(0xffff0000u))))};
  }
  static __m256i Round(F x) {
    const __m512i u = _mm512_castps_si512(x);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(u, 16), _mm512_set1_epi32(1));
    const __m512i rounded = _mm512_add_epi32(_mm512_add_epi32(u, _mm512_set1_epi32(0x7fff)), odd);
    const __m512i quiet = _mm512_or_si512(u, _mm512_set1_epi32(0x400000));
    const __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
    return _mm512_cvtepi32_epi16(_mm512_srli_epi32(_mm512_mask_mov_epi32(rounded, nan, quiet), 16));
  }
};

}  // namespace shoal::cpu

#endif  // SHOAL_RUNTIME_DEVICE_CPU_LANES_AVX512_H_
