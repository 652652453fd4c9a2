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
// The same past the first-level cache: for what is used once and must not drive out what stays.
template <int T>
inline void LoadTilePast(const void* p, int64_t row_bytes) {
  __asm__ volatile("tileloaddt1 (%0,%1,1), %%tmm%c2" ::"r"(p), "r"(row_bytes), "i"(T));
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
// up to four results the tiles 4 and 5 hold rows and 6 and 7 weights; with up to six, 6 and 7. Each
// tile of rows is loaded once; weights come again from the first-level cache where there are six
// results. kPast: rows are loaded past that cache, which the weights then have to themselves. In
// memory a result is 1 KiB, [16 rows][16 columns].
template <int R, int N, bool kPast>
class TileGrid {
  static_assert(R * N <= 6 && (R * N > 4 || N <= 2 || R == 1));

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
  static constexpr bool kKeepWeights = kResults <= 4;
  static constexpr int RowsTile(int r) { return kKeepWeights ? 4 + r % 2 : 6; }
  static constexpr int WeightTile(int n) { return kKeepWeights ? 6 + n % 2 : 7; }

  template <size_t... I>
  static void ZeroAll(std::index_sequence<I...>) {
    (ZeroTile<I>(), ...);
  }
  template <bool kOpen, bool kClose, size_t... I>
  static void MultiplyAll(const Operands& o, std::index_sequence<I...>) {
    (MultiplyOne<kOpen, kClose, I>(o), ...);
  }
  // Along one block of rows and back along the next.
  template <bool kOpen, bool kClose, int I>
  static void MultiplyOne(const Operands& o) {
    constexpr int r = I / N, i = I % N, n = r % 2 == 0 ? i : N - 1 - i, tile = n * R + r;
    constexpr bool kLoadWeights = r == 0 || (!kKeepWeights && i > 0);
    float* out = o.out + n * o.out_panel + r * kResult;
    if constexpr (i == 0) LoadRows<RowsTile(r)>(o.a + r * o.a_block);
    if constexpr (kLoadWeights) LoadTile<WeightTile(n)>(o.w + n * o.w_panel, 64);
    if constexpr (kOpen) LoadTile<tile>(out, 64);
    MultiplyTiles<tile, RowsTile(r), WeightTile(n)>();
    if constexpr (kClose) StoreTile<tile>(out, 64);
  }
  template <int T>
  static void LoadRows(const BF16* a) {
    if constexpr (kPast) {
      LoadTilePast<T>(a, 64);
    } else {
      LoadTile<T>(a, 64);
    }
  }
};

}  // namespace shoal::cpu

#endif  // SHOAL_RUNTIME_DEVICE_CPU_AMX_TILES_H_
