#ifndef SHOAL_RUNTIME_DEVICE_CPU_ATTENTION_H_
#define SHOAL_RUNTIME_DEVICE_CPU_ATTENTION_H_

#include <cstddef>
#include <cstdint>

#include "runtime/device/cpu/block_product.h"
#include "runtime/device/ops.h"
#include "runtime/tensor/dtype.h"
#include "runtime/tensor/tensor.h"

namespace shoal::cpu {

// Absorbed attention of some rows of one sequence, for some of their heads. README.md states its
// arithmetic.
struct AttendTask {
  Tensor q_latent, q_rope;           // [T, H, rank], [T, H, rope_dim] BF16
  Tensor lines;                      // the layer's cache, as KvLayer::lines
  const int32_t* blocks = nullptr;   // the sequence's block table
  const RowPlace* places = nullptr;  // [T]
  float scale = 0;
  Tensor out;                       // [T, H, rank] BF16
  int64_t first_row = 0, rows = 0;  // all of one block table, positions ascending
  int64_t first_head = 0, heads = 0;
  int64_t first_position = 0;  // as KvLayer::first
};

// Tiles of positions whose probabilities are kept before they meet the values: the sums then pass
// through the tile registers once for all of them.
inline constexpr int kAttendTiles = 4;

// From a panel of values or of probabilities to the next, in elements: a tile more than there is,
// so that panels do not compete for the same sets of the first-level cache.
inline constexpr int64_t kAttendPanel = (2 * kAttendTiles + 1) * kTile;

// Where the parts of a task's scratch begin; all in bytes, 64-byte aligned. A panel is 16 heads of
// one row.
struct AttendScratch {
  int64_t chunks, row_panels, panels;  // of a line in K; of one row's heads; of all rows
  int64_t rank_row;                    // floats of a row of `sum`
  int64_t query = 0, line = 0, keys, values, scores, p_columns, p, sum, most, total, alpha, bytes;

  explicit AttendScratch(const AttendTask& task) {
    const int64_t rank = task.q_latent.cols, width = rank + task.q_rope.cols;
    chunks = (width + kChunk - 1) / kChunk;
    row_panels = (task.heads + kPanel - 1) / kPanel;
    panels = task.rows * row_panels;
    rank_row = (rank + kPanel - 1) / kPanel * kPanel + kPanel;
    int64_t at = 0;
    auto take = [&at](int64_t n) {
      const int64_t begin = at;
      at += (n + 63) / 64 * 64;
      return begin;
    };
    constexpr int64_t kPositions = kAttendTiles * kKvBlock;
    query = take(panels * chunks * kTile * 2);  // BF16 [panels][chunks] tiles
    line = take(kPanel * chunks * kChunk * 2);  // BF16 [16][chunks * 32]: the queries of a panel
    keys = take(kPositions * chunks * kChunk * 2);        // BF16 [kPositions][chunks * 32]
    values = take(rank_row / kPanel * kAttendPanel * 2);  // BF16 [rank / 16][kPositions / 32] tiles
    scores = take(2 * kKvBlock * 2 * kPanel * 4);         // F32 [2][64][2 panels]
    p_columns = take(kKvBlock * kPanel * 2 + kTile * 2);  // BF16 [64][16], then a tile of pairs
    p = take(panels * kAttendPanel * 2);                  // BF16 [panels][kPositions / 32][16][32]
    sum = take(panels * kPanel * rank_row * 4);           // F32 [panels * 16][rank_row]: o
    most = take(panels * kPanel * 4);                     // F32 [panels * 16]: m
    total = take(panels * kPanel * 4);                    // F32 [panels * 16]: l
    alpha = take(kAttendTiles * panels * kPanel * 4);     // F32 [kAttendTiles][panels * 16]: a
    bytes = at;
  }
};

}  // namespace shoal::cpu

#endif  // SHOAL_RUNTIME_DEVICE_CPU_ATTENTION_H_
