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

// Where the parts of a task's scratch begin; all in bytes, 64-byte aligned.
struct AttendScratch {
  int64_t chunks, panels, rank_row;  // of a line in K; of heads; floats of a row of `sum`
  int64_t query = 0, line = 0, keys, values, scores, p_columns, p, sum, most, total, bytes;

  explicit AttendScratch(const AttendTask& task) {
    const int64_t rank = task.q_latent.cols, width = rank + task.q_rope.cols;
    chunks = (width + kChunk - 1) / kChunk;
    panels = (task.heads + kPanel - 1) / kPanel;
    rank_row = (rank + kPanel - 1) / kPanel * kPanel + kPanel;
    int64_t at = 0;
    auto take = [&at](int64_t n) {
      const int64_t begin = at;
      at += (n + 63) / 64 * 64;
      return begin;
    };
    const int64_t lanes = panels * kPanel;
    query = take(task.rows * panels * chunks * kTile * 2);  // BF16 [rows][panels][chunks] tiles
    line = take(kPanel * chunks * kChunk * 2);    // BF16 [16][chunks * 32]: the queries of a panel
    keys = take(kKvBlock * chunks * kChunk * 2);  // BF16 [4][chunks][16][32]
    values = take(rank_row * kKvBlock * 2);       // BF16 [rank / 16][2] tiles
    scores = take(kKvBlock * lanes * 4);          // F32 [64][lanes]
    p_columns = take(kKvBlock * kPanel * 2 + kTile * 2);  // BF16 [64][16], then one tile of pairs
    p = take(lanes * kKvBlock * 2);                       // BF16 [lanes][64]
    sum = take(task.rows * lanes * rank_row * 4);         // F32 [rows][lanes][rank_row]: o
    most = take(task.rows * lanes * 4);                   // F32 [rows][lanes]: m
    total = take(task.rows * lanes * 4);                  // F32 [rows][lanes]: l
    bytes = at;
  }
};

}  // namespace shoal::cpu

#endif  // SHOAL_RUNTIME_DEVICE_CPU_ATTENTION_H_
