#ifndef SHOAL_RUNTIME_DEVICE_CPU_MATMUL_H_
#define SHOAL_RUNTIME_DEVICE_CPU_MATMUL_H_

#include <cstddef>
#include <cstdint>

#include "runtime/device/cpu/block_product.h"
#include "runtime/tensor/dtype.h"
#include "runtime/tensor/tensor.h"

namespace shoal::cpu {

inline constexpr int kScaleBlock = 128;  // a side of the blocks that share one FP8 scale
inline constexpr int kSpan = 16;         // chunks of K that lie together in packed rows

constexpr int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

// out = x w^T for one weight; x packed by PackRowBlock.
struct MatMulTask {
  const BF16* x = nullptr;  // [ceil(chunks / kSpan)][ceil(rows / 16)][kSpan][16][32]
  int64_t rows = 0;
  int64_t chunks = 0;  // ceil(in / 32)
  Weight w;            // packed by PackWeight, BF16 or F8_E4M3
  Tensor out;          // [rows, out], F32 or BF16

  // The tile of rows row .. row + 15, a whole number of tiles, and of one chunk; 16 rows on, the
  // same chunk is kSpanTile elements further, and the next chunk of a span 16 * 32.
  const BF16* RowTile(int64_t row, int64_t chunk) const {
    const int64_t span = chunk / kSpan * CeilDiv(rows, 16) + row / 16;
    return x + span * kSpanTile + chunk % kSpan * 16 * kChunk;
  }
  static constexpr int64_t kSpanTile = kSpan * 16 * kChunk;
};

// The blocking of one thread's share of a MatMulTask. It moves bytes between caches and never a bit
// of the result: the sum over K goes on in `acc` from block to block.
struct MatMulBlocking {
  static constexpr int64_t kRows = 512;   // rows of x that stay in the second-level cache
  static constexpr int64_t kPanels = 32;  // columns of acc
  static constexpr int64_t kAccRow =
      kPanels * kPanel + 16;  // floats; not a power of two, for the cache's sets
  static constexpr int64_t kManyRows =
      32;  // up to here one group of panels runs over the whole of K
  static constexpr int64_t kManyChunks =
      kSpan;  // beyond: K in steps whose weights stay in the first-level cache
  static constexpr int64_t kScaleChunks = kScaleBlock / kChunk;
  static constexpr int64_t kWideTiles =
      4 * kScaleChunks > 2 * kManyChunks ? 4 * kScaleChunks : 2 * kManyChunks;

  // Scratch bytes of one thread: acc, widened FP8 tiles, one scale block's product.
  static constexpr int64_t kAccBytes = kRows * kAccRow * 4;
  static constexpr int64_t kWideBytes = kWideTiles * kTile * 2;
  static constexpr int64_t kPartBytes = 32 * 4 * kPanel * 4;
  static constexpr int64_t kScratchBytes = kAccBytes + kWideBytes + kPartBytes;
};

// Elements of a packed weight; the same for every dtype and instruction set.
constexpr int64_t PackedWeightSize(int64_t out, int64_t in) {
  return CeilDiv(out, kPanel) * CeilDiv(in, kChunk) * kTile;
}
// Elements of packed rows.
constexpr int64_t PackedRowsSize(int64_t rows, int64_t in) {
  return CeilDiv(rows, 16) * 16 * CeilDiv(in, kSpan * kChunk) * kSpan * kChunk;
}

// Panels of 16 columns, chunk by chunk of K, each tile [16 pairs of k][16 columns][2]; zeros where
// the matrix ends. host: row-major [out, in]; F32 is rounded to bf16, BF16 and F8_E4M3 keep their
// bits.
void PackWeight(const Tensor& host, std::byte* packed);

// Lays rows [16 block, 16 block + 16) of x [rows, in] BF16 out for MatMulTask::x; zeros from `in`
// to the chunk's end. Spans lie together, so that those of many rows, which a kernel keeps in its
// second-level cache, do not all fall on the same few sets of it.
void PackRowBlock(const Tensor& x, int64_t block, BF16* packed);

}  // namespace shoal::cpu

#endif  // SHOAL_RUNTIME_DEVICE_CPU_MATMUL_H_
