#ifndef SHOAL_RUNTIME_DEVICE_CPU_SOFT_FMA_H_
#define SHOAL_RUNTIME_DEVICE_CPU_SOFT_FMA_H_

#include <emmintrin.h>

namespace shoal::cpu {

// a * b + c with one rounding to float, the bits of the FMA instruction under DAZ and FTZ, from
// SSE2 alone.
//
//   1. The product of two floats is exact in double (48 of 53 bits).
//   2. sum = product + c is rounded once; TwoSum gives its error exactly.
//   3. If the error is not zero and sum is even, step to the odd neighbour in the error's
//   direction: rounding to odd,
//      after which a second rounding to a narrower format is the correct one (Boldo and Melquiond,
//      "Emulation of FMA and correctly rounded sums", IEEE Trans. Comp. 2008).
//   4. Round to float; the hardware flushes a tiny result as it does after an FMA.
inline __m128d SoftFmaToOdd(__m128d a, __m128d b, __m128d c) {
  const __m128d product = _mm_mul_pd(a, b);
  const __m128d sum = _mm_add_pd(product, c);
  const __m128d c_part = _mm_sub_pd(sum, product);
  const __m128d error =
      _mm_add_pd(_mm_sub_pd(product, _mm_sub_pd(sum, c_part)), _mm_sub_pd(c, c_part));

  const __m128i bits = _mm_castpd_si128(sum);
  const __m128i one = _mm_set_epi32(0, 1, 0, 1);
  const __m128i even =
      _mm_sub_epi64(_mm_and_si128(bits, one), one);  // all ones where the last bit is 0
  // Ordered comparisons: an infinity or a NaN (whose "error" is NaN) stays as it is.
  const __m128d zero = _mm_setzero_pd();
  const __m128i inexact =
      _mm_castpd_si128(_mm_or_pd(_mm_cmplt_pd(error, zero), _mm_cmpgt_pd(error, zero)));
  // -1 where the error points towards zero, else +1.
  const __m128i opposite = _mm_srai_epi32(_mm_castpd_si128(_mm_xor_pd(error, sum)), 31);
  const __m128i step = _mm_or_si128(_mm_shuffle_epi32(opposite, _MM_SHUFFLE(3, 3, 1, 1)), one);
  return _mm_castsi128_pd(_mm_add_epi64(bits, _mm_and_si128(step, _mm_and_si128(even, inexact))));
}

inline __m128 SoftFma(__m128 a, __m128 b, __m128 c) {
  const __m128d low = SoftFmaToOdd(_mm_cvtps_pd(a), _mm_cvtps_pd(b), _mm_cvtps_pd(c));
  const __m128d high =
      SoftFmaToOdd(_mm_cvtps_pd(_mm_movehl_ps(a, a)), _mm_cvtps_pd(_mm_movehl_ps(b, b)),
                   _mm_cvtps_pd(_mm_movehl_ps(c, c)));
  return _mm_movelh_ps(_mm_cvtpd_ps(low), _mm_cvtpd_ps(high));
}

}  // namespace shoal::cpu

#endif  // SHOAL_RUNTIME_DEVICE_CPU_SOFT_FMA_H_
