#include <immintrin.h>

#include <bit>
#include <cstddef>
#include <cstdint>

#include "runtime/device/cpu/amx_tiles.h"
#include "runtime/device/cpu/block_product.h"
#include "runtime/device/cpu/kernels.h"
#include "runtime/device/cpu/lanes_avx512.h"
#include "runtime/device/cpu/make_kernels.h"
#include "runtime/device/cpu/matmul_amx.h"
#include "runtime/device/cpu/widen_vbmi.h"

namespace shoal::cpu {
namespace {

// Rule N1 in the tile unit: TDPBF16PS is one chunk of it for 16 x 16 results. Tiles 0..3 hold
// results, 4 and 5 rows, 6 and 7 weights. With up to 16 rows, four panels are in flight, which
// hides the unit's latency while weights stream from memory; with more, 2 x 2 results share each
// load.
class AmxProduct {
 public:
  AmxProduct() = default;
  ~AmxProduct() {
    if (upper_ != 0) _tile_release();
  }
  AmxProduct(const AmxProduct&) = delete;
  AmxProduct& operator=(const AmxProduct&) = delete;

  void Run(const Block& b) {
    NoSide side;
    Run(b, side);
  }
  template <class Side>
  void Run(const Block& b, Side& side) {
    TileFence();
    for (int64_t r = 0; r < b.rows; r += 32) {
      const int rows = static_cast<int>(b.rows - r < 32 ? b.rows - r : 32);
      const BF16* a = b.a + r / 16 * b.a_block;
      float* out = b.out + r * b.out_row;
      if (rows > 16) {
        Configure(16, rows - 16);
        int p = 0;
        for (; p + 2 <= b.panels; p += 2) Tall<2>(b, a, p, out, side);
        if (p < b.panels) Tall<1>(b, a, p, out, side);
      } else {
        Configure(rows, rows);
        int p = 0;
        for (; p + 4 <= b.panels; p += 4) Flat<4>(b, a, p, out, side);
        for (; p + 2 <= b.panels; p += 2) Flat<2>(b, a, p, out, side);
        if (p < b.panels) Flat<1>(b, a, p, out, side);
      }
    }
  }

 private:
  void Configure(int upper, int lower) {
    if (upper == upper_ && lower == lower_) return;
    upper_ = upper, lower_ = lower;
    TileConfig config;
    for (int i = 0; i < 8; ++i) {
      config.bytes_per_row[i] = 64;
      config.rows[i] = static_cast<uint8_t>(i >= 6                       ? 16
                                            : i == 2 || i == 3 || i == 5 ? lower
                                                                         : upper);
    }
    TileFence();
    _tile_loadconfig(&config);
  }

  // 17 to 32 rows, N <= 2 panels from p on.
  template <int N, class Side>
  static void Tall(const Block& b, const BF16* a, int p, float* out, Side& side) {
    const int64_t out_bytes = b.out_row * 4, a_bytes = b.a_row * 2;
    float* upper = out + p * kPanel;
    float* lower = upper + 16 * b.out_row;
    const BF16* w0 = b.w + p * b.w_panel;
    const BF16* w1 = w0 + b.w_panel;
    const BF16* a1 = a + b.a_block;
    if (b.accumulate) {
      _tile_loadd(0, upper, out_bytes);
      _tile_loadd(2, lower, out_bytes);
      if constexpr (N > 1) _tile_loadd(1, upper + kPanel, out_bytes);
      if constexpr (N > 1) _tile_loadd(3, lower + kPanel, out_bytes);
    } else {
      _tile_zero(0);
      _tile_zero(1);
      _tile_zero(2);
      _tile_zero(3);
    }
    for (int c = 0; c < b.chunks; ++c) {
      _tile_loadd(4, a + c * b.a_chunk, a_bytes);
      _tile_loadd(6, w0 + c * kTile, 64);
      _tile_dpbf16ps(0, 4, 6);
      _tile_loadd(5, a1 + c * b.a_chunk, a_bytes);
      _tile_dpbf16ps(2, 5, 6);
      if constexpr (N > 1) {
        _tile_loadd(7, w1 + c * kTile, 64);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(3, 5, 7);
      }
      side.Step();
    }
    _tile_stored(0, upper, out_bytes);
    _tile_stored(2, lower, out_bytes);
    if constexpr (N > 1) _tile_stored(1, upper + kPanel, out_bytes);
    if constexpr (N > 1) _tile_stored(3, lower + kPanel, out_bytes);
  }

  // Up to 16 rows, N of 1, 2, 4 panels from p on.
  template <int N, class Side>
  static void Flat(const Block& b, const BF16* a, int p, float* out, Side& side) {
    const int64_t out_bytes = b.out_row * 4, a_bytes = b.a_row * 2;
    const BF16* w = b.w + p * b.w_panel;
    out += p * kPanel;
    if (b.accumulate) {
      _tile_loadd(0, out, out_bytes);
      if constexpr (N > 1) _tile_loadd(1, out + kPanel, out_bytes);
      if constexpr (N > 2) _tile_loadd(2, out + 2 * kPanel, out_bytes);
      if constexpr (N > 2) _tile_loadd(3, out + 3 * kPanel, out_bytes);
    } else {
      _tile_zero(0);
      _tile_zero(1);
      _tile_zero(2);
      _tile_zero(3);
    }
    for (int c = 0; c < b.chunks; ++c, w += kTile) {
      _tile_loadd(4, a + c * b.a_chunk, a_bytes);
      _tile_loadd(6, w, 64);
      _tile_dpbf16ps(0, 4, 6);
      if constexpr (N > 1) {
        _tile_loadd(7, w + b.w_panel, 64);
        _tile_dpbf16ps(1, 4, 7);
      }
      if constexpr (N > 2) {
        _tile_loadd(6, w + 2 * b.w_panel, 64);
        _tile_dpbf16ps(2, 4, 6);
        _tile_loadd(7, w + 3 * b.w_panel, 64);
        _tile_dpbf16ps(3, 4, 7);
      }
      side.Step();
    }
    _tile_stored(0, out, out_bytes);
    if constexpr (N > 1) _tile_stored(1, out + kPanel, out_bytes);
    if constexpr (N > 2) _tile_stored(2, out + 2 * kPanel, out_bytes);
    if constexpr (N > 2) _tile_stored(3, out + 3 * kPanel, out_bytes);
  }

  int upper_ = 0, lower_ = 0;  // rows that the tiles are configured for; 0: not yet
};

// A name of its own, so that no instance of this file, which is compiled for a wider CPU, can stand
// in for one of kernels_avx512.cc.
struct AmxLanes : LanesAvx512 {
  // VCVTNEPS2BF16 rounds to nearest even whatever MXCSR says and quiets NaN.
  static F StoreRounded(BF16* p, F x) {
    const __m256i bits = std::bit_cast<__m256i>(_mm512_cvtneps_pbh(x));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), bits);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
  }
};

}  // namespace

const Kernels& AmxKernels() {
  static constexpr Kernels kKernels = [] {
    Kernels kernels = MakeKernels<AmxLanes, AmxProduct, WidenVbmi>();
    kernels.mat_mul = [](const MatMulTask& task, int64_t first, int64_t last, std::byte* scratch) {
      AmxMatMul<AmxLanes>(task, scratch).Run(first, last);
    };
    return kernels;
  }();
  return kKernels;
}

}  // namespace shoal::cpu
