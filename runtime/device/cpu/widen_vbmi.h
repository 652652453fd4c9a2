#ifndef SHOAL_RUNTIME_DEVICE_CPU_WIDEN_VBMI_H_
#define SHOAL_RUNTIME_DEVICE_CPU_WIDEN_VBMI_H_

#include <immintrin.h>

#include <cstdint>

#include "runtime/device/cpu/block_product.h"
#include "runtime/device/cpu/fp8.h"
#include "runtime/tensor/dtype.h"

namespace shoal::cpu {

// FP8 tiles to bf16 tiles, 64 codes at a time: the high and the low bytes of the 128 positive codes
// lie in two registers each, one byte permutation looks 64 of them up, and the sign goes on top.
// REQUIRES: AVX-512 VBMI.
struct WidenVbmi {
  static constexpr int64_t kAhead = 8 * kTile;

  static void Run(const uint8_t* codes, int64_t tiles, BF16* wide) {
    const __m512i low0 = _mm512_load_si512(kFp8Table.low),
                  low1 = _mm512_load_si512(kFp8Table.low + 64);
    const __m512i high0 = _mm512_load_si512(kFp8Table.high),
                  high1 = _mm512_load_si512(kFp8Table.high + 64);
    const __m512i sign = _mm512_set1_epi8(static_cast<char>(0x80));
    // Spreads 64 bytes so that the interleaving within 128-bit parts leaves them in order.
    const __m512i spread = _mm512_set_epi64(7, 3, 6, 2, 5, 1, 4, 0);
    for (int64_t i = 0; i < tiles * kTile; i += 64) {
      // The work on a tile is longer than the core looks ahead: ask for the panel's tiles of two
      // scale blocks later.
      _mm_prefetch(reinterpret_cast<const char*>(codes + i + kAhead), _MM_HINT_T0);
      const __m512i x = _mm512_permutexvar_epi64(spread, _mm512_loadu_si512(codes + i));
      const __m512i l = _mm512_permutex2var_epi8(low0, x, low1);
      // (x & sign) | h
      const __m512i h =
          _mm512_ternarylogic_epi64(x, sign, _mm512_permutex2var_epi8(high0, x, high1), 0xea);
      _mm512_storeu_si512(wide + i, _mm512_unpacklo_epi8(l, h));
      _mm512_storeu_si512(wide + i + 32, _mm512_unpackhi_epi8(l, h));
    }
  }
};

}  // namespace shoal::cpu

#endif  // SHOAL_RUNTIME_DEVICE_CPU_WIDEN_VBMI_H_
