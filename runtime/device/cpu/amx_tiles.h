#ifndef SHOAL_RUNTIME_DEVICE_CPU_AMX_TILES_H_
#define SHOAL_RUNTIME_DEVICE_CPU_AMX_TILES_H_

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "runtime/device/cpu/block_product.h"
#include "runtime/tensor/dtype.h"

namespace shoal::cpu {

// What LDTILECFG reads (Intel SDM volume 1, 18.3).
struct alignas(64) TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t bytes_per_row[16] = {};
  uint8_t rows[16] = {};
};
static_assert(sizeof(TileConfig) == 64);

// The tile instructions, by number of the tile: the compilers' own intrinsics take literals only.
// They do not tell the compiler that they touch memory; TileFence() does.
inline void TileFence() { __asm__ volatile("" ::: "memory"); }
template <int T>
inline void ZeroTile() {
  __asm__ volatile("tilezero %%tmm%c0" ::"i"(T));
}
template <int T>
inline void LoadTile(const void* p, int64_t row_bytes) {
  __asm__ volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(p), "r"(row_bytes), "i"(T));
}
template <int T>
inline void StoreTile(void* p, int64_t row_bytes) {
  __asm__ volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(p), "r"(row_bytes), "i"(T));
}
template <int Sum, int A, int W>
inline void MultiplyTiles() {
  __asm__ volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(Sum), "i"(A), "i"(W));
}

// R blocks of 16 rows by N panels of results, all in tiles: result (r, n) is tile n * R + r. With
// up to four results the tiles 4 and 5 hold rows and 6 and 7 weights; with up to six, 6 and 7. In
// memory a result is 1 KiB, [16 rows][16 columns].
template <int R, int N>
class TileGrid {
  static_assert(R * N <= 6 && (R * N > 4 || R <= 2 || N == 1));

 public:
  static constexpr int kResults = R * N;
  static constexpr int64_t kResult = 16 * kPanel;  // floats

  // Where the operands of one chunk are, and the results: distances in elements.
  struct Operands {
    const BF16* a;
    int64_t a_block;  // to the next 16 rows
    const BF16* w;
    int64_t w_panel;
    float* out;
    int64_t out_panel;  // row blocks of one panel follow each other
  };

  static void Zero() { ZeroAll(std::make_index_sequence<kResults>()); }

  // One chunk of rule N1 for all results. kOpen: the results come from `out`; kClose: they go
  // there. Each moves next to its product, so that the tile unit does not wait for all of them at
  // once.
  template <bool kOpen, bool kClose>
  static void Multiply(const Operands& o) {
    MultiplyAll<kOpen, kClose>(o, std::make_index_sequence<kResults>());
  }

 private:
  static constexpr bool kKeepRows = kResults <= 4;
  static constexpr int RowsTile(int r) { return kKeepRows ? 4 + r % 2 : 6; }
  static constexpr int WeightTile(int n) { return kKeepRows ? 6 + n % 2 : 7; }

  template <size_t... I>
  static void ZeroAll(std::index_sequence<I...>) {
    (ZeroTile<I>(), ...);
  }
  template <bool kOpen, bool kClose, size_t... I>
  static void MultiplyAll(const Operands& o, std::index_sequence<I...>) {
    (MultiplyOne<kOpen, kClose, I>(o), ...);
  }
  // Down one panel and up the next.
  template <bool kOpen, bool kClose, int I>
  static void MultiplyOne(const Operands& o) {
    constexpr int n = I / R, i = I % R, r = n % 2 == 0 ? i : R - 1 - i, tile = n * R + r;
    constexpr bool kLoadRows = kKeepRows ? n == 0 : n == 0 || i > 0;
    float* out = o.out + n * o.out_panel + r * kResult;
    if constexpr (i == 0) LoadTile<WeightTile(n)>(o.w + n * o.w_panel, 64);
    if constexpr (kLoadRows) LoadTile<RowsTile(r)>(o.a + r * o.a_block, 64);
    if constexpr (kOpen) LoadTile<tile>(out, 64);
    MultiplyTiles<tile, RowsTile(r), WeightTile(n)>();
    if constexpr (kClose) StoreTile<tile>(out, 64);
  }
};

}  // namespace shoal::cpu

#endif  // SHOAL_RUNTIME_DEVICE_CPU_AMX_TILES_H_
