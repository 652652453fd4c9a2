#ifndef SHOAL_RUNTIME_DEVICE_CPU_LANES_PORTABLE_H_
#define SHOAL_RUNTIME_DEVICE_CPU_LANES_PORTABLE_H_

#include <emmintrin.h>

#include <cstdint>

#include "runtime/device/cpu/soft_fma.h"
#include "runtime/tensor/dtype.h"

namespace shoal::cpu {

// Sixteen float lanes on any x86-64 (SSE2), in four registers; the meaning of every function is
// stated here, and the wider forms (lanes_avx2.h, lanes_avx512.h) return the same bits. All assume
// DAZ and FTZ (flush_denormals.h).
//
// A kernel is a template over such a struct, instantiated once per instruction set in a file of its
// own, so that no function compiled for a wide CPU can be called on a narrow one.
struct LanesPortable {
  struct F {
    __m128 a, b, c, d;
  };

  static F Zero() { return Set(0); }
  static F Set(float x) { return {_mm_set1_ps(x), _mm_set1_ps(x), _mm_set1_ps(x), _mm_set1_ps(x)}; }
  static F Load(const float* p) {
    return {_mm_loadu_ps(p), _mm_loadu_ps(p + 4), _mm_loadu_ps(p + 8), _mm_loadu_ps(p + 12)};
  }
  // The first n of 16 lanes; the others load as +0 and are not stored.
  static F LoadN(const float* p, int n) {
    float whole[16] = {};
    for (int i = 0; i < n; ++i) whole[i] = p[i];
    return Load(whole);
  }
  static void Store(float* p, F x) {
    _mm_storeu_ps(p, x.a), _mm_storeu_ps(p + 4, x.b), _mm_storeu_ps(p + 8, x.c),
        _mm_storeu_ps(p + 12, x.d);
  }
  static void StoreN(float* p, F x, int n) {
    float whole[16];
    Store(whole, x);
    for (int i = 0; i < n; ++i) p[i] = whole[i];
  }

  // bf16 in memory, float in the lanes; stores round to nearest even, bit for bit as
  // BF16::FromFloat.
  static F Load(const BF16* p) { return {Widen(p), Widen(p + 4), Widen(p + 8), Widen(p + 12)}; }
  static F LoadN(const BF16* p, int n) {
    BF16 whole[16] = {};
    for (int i = 0; i < n; ++i) whole[i] = p[i];
    return Load(whole);
  }
  static void Store(BF16* p, F x) {
    Round(p, x.a), Round(p + 4, x.b), Round(p + 8, x.c), Round(p + 12, x.d);
  }
  static void StoreN(BF16* p, F x, int n) {
    BF16 whole[16];
    Store(whole, x);
    for (int i = 0; i < n; ++i) p[i] = whole[i];
  }

  // Stores a bf16 and returns what it stored. REQUIRES: no lane is denormal.
  static F StoreRounded(BF16* p, F x) {
    Store(p, x);
    return Load(p);
  }

  // 16 pairs of bf16, split into their first and second halves.
  struct Pair {
    F even, odd;
  };
  static Pair LoadPairs(const BF16* p) {
    const Split4 a = Split(Raw(p)), b = Split(Raw(p + 8)), c = Split(Raw(p + 16)),
                 d = Split(Raw(p + 24));
    return {{a.even, b.even, c.even, d.even}, {a.odd, b.odd, c.odd, d.odd}};
  }
  // One pair in all lanes.
  static Pair SetPair(const BF16* p) {
    uint32_t bits;
    __builtin_memcpy(&bits, p, sizeof bits);
    const Split4 x = Split(_mm_set1_epi32(static_cast<int>(bits)));
    return {{x.even, x.even, x.even, x.even}, {x.odd, x.odd, x.odd, x.odd}};
  }
  // out[2i] = low[i], out[2i + 1] = high[i], for 16 i.
  static void Interleave(const BF16* low, const BF16* high, BF16* out) {
    for (int i = 0; i < 16; i += 8) {
      auto* to = reinterpret_cast<__m128i*>(out + 2 * i);
      _mm_storeu_si128(to, _mm_unpacklo_epi16(Raw(low + i), Raw(high + i)));
      _mm_storeu_si128(to + 1, _mm_unpackhi_epi16(Raw(low + i), Raw(high + i)));
    }
  }

  // out[j][i] = in[i][j] for 16 x 16 words; strides in words.
  static void Transpose(const uint32_t* in, int64_t in_stride, uint32_t* out, int64_t out_stride) {
    for (int i = 0; i < 16; ++i) {
      for (int j = 0; j < 16; ++j) out[j * out_stride + i] = in[i * in_stride + j];
    }
  }

  static F Add(F x, F y) { return {x.a + y.a, x.b + y.b, x.c + y.c, x.d + y.d}; }
  static F Sub(F x, F y) { return {x.a - y.a, x.b - y.b, x.c - y.c, x.d - y.d}; }
  static F Mul(F x, F y) { return {x.a * y.a, x.b * y.b, x.c * y.c, x.d * y.d}; }
  static F Div(F x, F y) { return {x.a / y.a, x.b / y.b, x.c / y.c, x.d / y.d}; }
  static F Sqrt(F x) {
    return {_mm_sqrt_ps(x.a), _mm_sqrt_ps(x.b), _mm_sqrt_ps(x.c), _mm_sqrt_ps(x.d)};
  }
  static F Fma(F x, F y, F z) {
    return {SoftFma(x.a, y.a, z.a), SoftFma(x.b, y.b, z.b), SoftFma(x.c, y.c, z.c),
            SoftFma(x.d, y.d, z.d)};
  }
  // x > y ? x : y, so y where either is NaN.
  static F Max(F x, F y) {
    return {_mm_max_ps(x.a, y.a), _mm_max_ps(x.b, y.b), _mm_max_ps(x.c, y.c), _mm_max_ps(x.d, y.d)};
  }
  // x < y ? x : y.
  static F Min(F x, F y) {
    return {_mm_min_ps(x.a, y.a), _mm_min_ps(x.b, y.b), _mm_min_ps(x.c, y.c), _mm_min_ps(x.d, y.d)};
  }
  // x < y ? +0 : value; a NaN in x keeps the value.
  static F ZeroIfLess(F value, F x, F y) {
    return {
        _mm_and_ps(_mm_cmpnlt_ps(x.a, y.a), value.a), _mm_and_ps(_mm_cmpnlt_ps(x.b, y.b), value.b),
        _mm_and_ps(_mm_cmpnlt_ps(x.c, y.c), value.c), _mm_and_ps(_mm_cmpnlt_ps(x.d, y.d), value.d)};
  }
  // 2^n for whole n in -126..127.
  static F PowerOfTwo(F n) {
    return {PowerOfTwo(n.a), PowerOfTwo(n.b), PowerOfTwo(n.c), PowerOfTwo(n.d)};
  }

  // The one tree of rule N8: lanes i and i + 8, then i and i + 4, i and i + 2, 0 and 1.
  static float Sum(F x) {
    const __m128 half = (x.a + x.c) + (x.b + x.d);
    const __m128 quarter = half + _mm_movehl_ps(half, half);
    return _mm_cvtss_f32(_mm_add_ss(quarter, _mm_shuffle_ps(quarter, quarter, 1)));
  }
  static float MaxOf(F x) {
    const __m128 half = _mm_max_ps(_mm_max_ps(x.a, x.c), _mm_max_ps(x.b, x.d));
    const __m128 quarter = _mm_max_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_max_ss(quarter, _mm_shuffle_ps(quarter, quarter, 1)));
  }

 private:
  struct Split4 {
    __m128 even, odd;
  };
  static __m128i Raw(const BF16* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }
  static __m128 Widen(const BF16* p) {
    const __m128i x = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
    return _mm_castsi128_ps(_mm_unpacklo_epi16(_mm_setzero_si128(), x));
  }
  static Split4 Split(__m128i x) {
    const __m128i mask = _mm_set1_epi32(static_cast<int>(0xffff0000u));
    return {_mm_castsi128_ps(_mm_slli_epi32(x, 16)), _mm_castsi128_ps(_mm_and_si128(x, mask))};
  }
  static void Round(BF16* p, __m128 x) {
    const __m128i u = _mm_castps_si128(x);
    const __m128i odd = _mm_and_si128(_mm_srli_epi32(u, 16), _mm_set1_epi32(1));
    const __m128i rounded = _mm_add_epi32(_mm_add_epi32(u, _mm_set1_epi32(0x7fff)), odd);
    const __m128i quiet = _mm_or_si128(u, _mm_set1_epi32(0x400000));
    const __m128i nan = _mm_castps_si128(_mm_cmpunord_ps(x, x));
    const __m128i bits = _mm_or_si128(_mm_and_si128(nan, quiet), _mm_andnot_si128(nan, rounded));
    // Arithmetic, so that the signed saturation of packs leaves the 16 bits alone.
    const __m128i high = _mm_srai_epi32(bits, 16);
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packs_epi32(high, high));
  }
  static __m128 PowerOfTwo(__m128 n) {
    const __m128i exponent = _mm_add_epi32(_mm_cvttps_epi32(n), _mm_set1_epi32(127));
    return _mm_castsi128_ps(_mm_slli_epi32(exponent, 23));
  }
};

}  // namespace shoal::cpu

#endif  // SHOAL_RUNTIME_DEVICE_CPU_LANES_PORTABLE_H_
