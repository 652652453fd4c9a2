#ifndef SHOAL_RUNTIME_DEVICE_CPU_BLOCK_PRODUCT_H_
#define SHOAL_RUNTIME_DEVICE_CPU_BLOCK_PRODUCT_H_

#include <cstdint>

#include "runtime/tensor/dtype.h"

namespace shoal::cpu {

inline constexpr int kChunk = 32;              // K in steps of rule N1, and in a tile
inline constexpr int kPanel = 16;              // columns of a panel, and of a tile
inline constexpr int kTile = kChunk * kPanel;  // elements of a packed weight tile

// The one product behind MatMul and MlaAttend: out[r][c] (+)= sum_k a[r][k] w[c][k] by rule N1.
//
// Row r of `a` has its k-th chunk at a + (r / 16) * a_block + (r % 16) * a_row + k * a_chunk. Panel
// p of `w` holds columns 16 p .. 16 p + 15: tile after tile of [16 pairs of k][16 columns][2],
// which is what the tile unit takes.
struct Block {
  const BF16* a = nullptr;
  int64_t a_row = 0, a_chunk = 0, a_block = 0;  // in elements
  int64_t rows = 0;
  const BF16* w = nullptr;
  int64_t w_panel = 0;  // in elements
  int panels = 0, chunks = 0;
  float* out = nullptr;     // [rows, panels * 16]
  int64_t out_row = 0;      // in elements
  bool accumulate = false;  // start from `out` instead of +0
};

// Work of the vector units to be done while a tile unit multiplies: a product may call Step() any
// number of times. Nothing that the product reads or writes.
struct NoSide {
  void Step() {}
};

// Rule N1 in vector lanes. A product is an object because that of the tile unit has a configuration
// to keep.
template <class V>
class LanesProduct {
 public:
  template <class Side>
  void Run(const Block& b, Side&) {  // the vector units have no time to spare
    Run(b);
  }
  void Run(const Block& b) {
    for (int64_t r = 0; r < b.rows; r += 4) {
      const BF16* a = b.a + r / 16 * b.a_block + r % 16 * b.a_row;
      float* out = b.out + r * b.out_row;
      for (int p = 0; p < b.panels; ++p) {
        const BF16* w = b.w + p * b.w_panel;
        switch (b.rows - r) {
          case 1:
            Rows<1>(b, a, w, out + p * kPanel);
            break;
          case 2:
            Rows<2>(b, a, w, out + p * kPanel);
            break;
          case 3:
            Rows<3>(b, a, w, out + p * kPanel);
            break;
          default:
            Rows<4>(b, a, w, out + p * kPanel);
        }
      }
    }
  }

 private:
  template <int R>
  static void Rows(const Block& b, const BF16* a, const BF16* w, float* out) {
    typename V::F acc[R], even[R], odd[R];
    for (int r = 0; r < R; ++r) acc[r] = b.accumulate ? V::Load(out + r * b.out_row) : V::Zero();
    for (int chunk = 0; chunk < b.chunks; ++chunk, a += b.a_chunk) {
      for (int r = 0; r < R; ++r) even[r] = odd[r] = V::Zero();
      for (int pair = 0; pair < kChunk / 2; ++pair, w += 2 * kPanel) {
        const typename V::Pair y = V::LoadPairs(w);
        for (int r = 0; r < R; ++r) {
          const typename V::Pair x = V::SetPair(a + r * b.a_row + 2 * pair);
          even[r] = V::Fma(x.even, y.even, even[r]);
          odd[r] = V::Fma(x.odd, y.odd, odd[r]);
        }
      }
      for (int r = 0; r < R; ++r) acc[r] = V::Add(acc[r], V::Add(even[r], odd[r]));
    }
    for (int r = 0; r < R; ++r) V::Store(out + r * b.out_row, acc[r]);
  }
};

}  // namespace shoal::cpu

#endif  // SHOAL_RUNTIME_DEVICE_CPU_BLOCK_PRODUCT_H_
