#ifndef SHOAL_RUNTIME_DEVICE_CPU_MATMUL_KERNEL_H_
#define SHOAL_RUNTIME_DEVICE_CPU_MATMUL_KERNEL_H_

#include <cstddef>
#include <cstdint>

#include "runtime/device/cpu/block_product.h"
#include "runtime/device/cpu/fp8.h"
#include "runtime/device/cpu/lane_math.h"
#include "runtime/device/cpu/matmul.h"
#include "runtime/tensor/dtype.h"

namespace shoal::cpu {

// V: vector lanes. P: the product. Widen: FP8 tiles to bf16 tiles.
template <class V, class P, class Widen>
class MatMulKernel {
  using Blocking = MatMulBlocking;

 public:
  MatMulKernel(const MatMulTask& task, std::byte* scratch)
      : task_(task),
        acc_(reinterpret_cast<float*>(scratch)),
        wide_(reinterpret_cast<BF16*>(scratch + Blocking::kAccBytes)),
        part_(reinterpret_cast<float*>(scratch + Blocking::kAccBytes + Blocking::kWideBytes)) {}

  // Columns 16 * first .. 16 * last - 1.
  void Run(int64_t first, int64_t last) {
    for (int64_t p = first; p < last; p += Blocking::kPanels) {
      const int64_t panels = last - p < Blocking::kPanels ? last - p : Blocking::kPanels;
      for (int64_t row = 0; row < task_.rows; row += Blocking::kRows) {
        const int64_t rows =
            task_.rows - row < Blocking::kRows ? task_.rows - row : Blocking::kRows;
        Sum({row, rows, p, panels});
        Emit({row, rows, p, panels});
      }
    }
  }

 private:
  struct Part {
    int64_t row, rows, panel, panels;
  };

  void Sum(const Part& part) {
    const bool fp8 = task_.w.data.dtype == DType::kF8E4M3;
    if (part.rows <= Blocking::kManyRows) {
      const int64_t step = fp8 ? Blocking::kScaleChunks : kSpan;
      for (int64_t p = 0; p < part.panels; p += 4) {
        const int64_t n = part.panels - p < 4 ? part.panels - p : 4;
        for (int64_t c = 0; c < task_.chunks; c += step) Step(part, p, n, c, step);
      }
      return;
    }
    for (int64_t c = 0; c < task_.chunks; c += Blocking::kManyChunks) {
      for (int64_t p = 0; p < part.panels; p += 2) {
        const int64_t n = part.panels - p < 2 ? part.panels - p : 2;
        Step(part, p, n, c, Blocking::kManyChunks);
      }
    }
  }

  // Adds `step` chunks of K, of one span, from `chunk` on, to columns 16 p .. 16 (p + n) - 1 of the
  // part.
  void Step(const Part& part, int64_t p, int64_t n, int64_t chunk, int64_t step) {
    const int64_t chunks = task_.chunks - chunk < step ? task_.chunks - chunk : step;
    const int64_t tile = (part.panel + p) * task_.chunks + chunk;
    Block b;
    b.a_row = kChunk, b.a_chunk = 16 * kChunk, b.a_block = MatMulTask::kSpanTile;
    b.a = task_.RowTile(part.row, chunk);
    b.rows = part.rows;
    b.panels = static_cast<int>(n);
    b.out = acc_ + p * kPanel, b.out_row = Blocking::kAccRow;
    if (task_.w.data.dtype == DType::kBF16) {
      b.w = reinterpret_cast<const BF16*>(task_.w.data.data) + tile * kTile;
      b.w_panel = task_.chunks * kTile;
      b.chunks = static_cast<int>(chunks);
      b.accumulate = chunk > 0;
      product_.Run(b);
      return;
    }
    const auto* codes = reinterpret_cast<const uint8_t*>(task_.w.data.data) + tile * kTile;
    for (int64_t i = 0; i < n; ++i) {
      Widen::Run(codes + i * task_.chunks * kTile, chunks, wide_ + i * chunks * kTile);
    }
    b.w = wide_, b.w_panel = chunks * kTile;
    ScaledSum(b, part.panel + p, chunk, chunks);
  }

  // Rule N3, in rows of 32: each block of 128 k by N1 from +0, then acc = fma(block, scale, acc).
  void ScaledSum(Block b, int64_t panel, int64_t chunk, int64_t chunks) {
    const Block all = b;
    for (int64_t row = 0; row < all.rows; row += 32) {
      b.rows = all.rows - row < 32 ? all.rows - row : 32;
      for (int64_t c = 0; c < chunks; c += Blocking::kScaleChunks) {
        b.a = all.a + row / 16 * all.a_block + c * all.a_chunk;
        b.w = all.w + c * kTile;
        b.chunks = static_cast<int>(chunks - c < Blocking::kScaleChunks ? chunks - c
                                                                        : Blocking::kScaleChunks);
        b.out = part_, b.out_row = 4 * kPanel;
        product_.Run(b);
        const bool first = chunk + c == 0;
        for (int p = 0; p < b.panels; ++p) {
          const typename V::F scale = V::Set(ScaleOf(panel + p, chunk + c));
          for (int64_t r = 0; r < b.rows; ++r) {
            float* acc = all.out + (row + r) * all.out_row + p * kPanel;
            const float* block = part_ + r * b.out_row + p * kPanel;
            V::Store(acc, V::Fma(V::Load(block), scale, first ? V::Zero() : V::Load(acc)));
          }
        }
      }
    }
  }

  float ScaleOf(int64_t panel, int64_t chunk) const {
    const auto* scale = reinterpret_cast<const float*>(task_.w.scale.data);
    return scale[panel * kPanel / kScaleBlock * task_.w.scale.row_stride +
                 chunk / Blocking::kScaleChunks];
  }

  // acc to the output, in its dtype.
  void Emit(const Part& part) {
    const int64_t begin = part.panel * kPanel;
    const int64_t left = task_.out.cols - begin;
    const int64_t cols = left < part.panels * kPanel ? left : part.panels * kPanel;
    for (int64_t r = 0; r < part.rows; ++r) {
      const float* acc = acc_ + r * Blocking::kAccRow;
      const int64_t at = (part.row + r) * task_.out.row_stride + begin;
      if (task_.out.dtype == DType::kF32) {
        Store(acc, reinterpret_cast<float*>(task_.out.data) + at, cols);
      } else {
        Store(acc, reinterpret_cast<BF16*>(task_.out.data) + at, cols);
      }
    }
  }
  template <class T>
  static void Store(const float* acc, T* out, int64_t cols) {
    ForLanes<V>(cols, [=](int64_t i, int n) { StoreUpTo<V>(out + i, V::Load(acc + i), n); });
  }

  const MatMulTask& task_;
  float* const acc_;   // [kRows, kAccRow]
  BF16* const wide_;   // [kWideTiles, kTile]
  float* const part_;  // [32, 4 * kPanel]
  P product_;
};

// FP8 tiles to bf16 tiles by the table; the wide instruction sets have their own.
template <class V>
struct WidenByTable {
  static void Run(const uint8_t* codes, int64_t tiles, BF16* wide) {
    for (int64_t i = 0; i < tiles * kTile; ++i) wide[i].bits = kFp8Table.bits[codes[i]];
  }
};

}  // namespace shoal::cpu

#endif  // SHOAL_RUNTIME_DEVICE_CPU_MATMUL_KERNEL_H_
