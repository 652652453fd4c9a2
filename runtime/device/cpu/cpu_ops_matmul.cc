// MatMul and its kin.

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"

#include "runtime/base/check.h"
#include "runtime/device/cpu/cpu_ops.h"
#include "runtime/device/cpu/kernels.h"
#include "runtime/device/cpu/matmul.h"
#include "runtime/device/ops.h"
#include "runtime/tensor/dtype.h"
#include "runtime/tensor/tensor.h"

namespace shoal::cpu {
namespace {

// Tile products (16 x 16 x 32) that a thread should have to do before another is worth waking.
constexpr int64_t kGrainTiles = 1024;

Tensor Head(const Tensor& x, int64_t head) {
  Tensor t = x;
  t.data += head * x.head_stride * static_cast<int64_t>(SizeOf(x.dtype));
  t.heads = 1, t.head_stride = t.cols;
  return t;
}

}  // namespace

void CpuOps::MatMul(Tensor x, const Weight& w, Tensor out) {
  CHECK_EQ(x.heads, 1);
  CHECK_EQ(out.heads, 1);
  AddMatMul(x, w, out);
  RunMatMuls();
}

void CpuOps::HeadMatMul(Tensor x, absl::Span<const Weight> w, Tensor out) {
  CHECK_EQ(x.heads, static_cast<int64_t>(w.size()));
  CHECK_EQ(out.heads, x.heads);
  for (size_t h = 0; h < w.size(); ++h) {
    const auto head = static_cast<int64_t>(h);
    AddMatMul(Head(x, head), w[h], Head(out, head));
  }
  RunMatMuls();
}

void CpuOps::GroupedMatMul(Tensor x, absl::Span<const int32_t> rows, absl::Span<const Weight> w,
                           Tensor out) {
  CHECK_EQ(rows.size(), w.size());
  CHECK_EQ(x.heads, 1);
  CHECK_EQ(out.heads, 1);
  int64_t begin = 0;
  for (size_t g = 0; g < rows.size(); begin += rows[g++]) {
    AddMatMul(x.Rows(begin, rows[g]), w[g], out.Rows(begin, rows[g]));
  }
  CHECK_EQ(begin, x.rows);
  CHECK_EQ(begin, out.rows);
  RunMatMuls();
}

void CpuOps::AddMatMul(Tensor x, const Weight& w, Tensor out) {
  CHECK(x.dtype == DType::kBF16) << x.ShapeString();
  CHECK(out.dtype == DType::kF32 || out.dtype == DType::kBF16) << out.ShapeString();
  CHECK(x.rows == out.rows && x.cols == w.in() && out.cols == w.out())
      << x.ShapeString() << " by " << w.data.ShapeString() << " to " << out.ShapeString();
  if (w.data.dtype == DType::kF8E4M3) {
    CHECK(w.scale.rows == CeilDiv(w.out(), kScaleBlock) &&
          w.scale.cols == CeilDiv(w.in(), kScaleBlock))
        << w.scale.ShapeString() << " for " << w.data.ShapeString();
  } else {
    CHECK(w.data.dtype == DType::kBF16) << w.data.ShapeString();
  }
  if (x.rows == 0 || out.cols == 0) return;
  matmul_x_.push_back(x);
  matmuls_.push_back({nullptr, x.rows, CeilDiv(x.cols, kChunk), w, out});
}

void CpuOps::RunMatMuls() {
  // Pack every x, once, in blocks of 16 rows.
  int64_t packed_size = 0;
  for (const MatMulTask& task : matmuls_)
    packed_size += PackedRowsSize(task.rows, task.chunks * kChunk);
  BF16* packed = shared_.ReserveOf<BF16>(packed_size);
  first_panel_.assign(1, 0);
  int64_t tiles = 0;
  for (size_t i = 0; i < matmuls_.size(); ++i) {
    MatMulTask& task = matmuls_[i];
    task.x = packed;
    const int64_t blocks = CeilDiv(task.rows, 16), chunks = task.chunks;
    pool_.ParallelFor(blocks, std::max<int64_t>(1, kGrainTiles / (4 * chunks)),
                      [&](int, int64_t begin, int64_t end) {
                        for (int64_t block = begin; block < end; ++block)
                          PackRowBlock(matmul_x_[i], block, packed);
                      });
    packed += PackedRowsSize(task.rows, chunks * kChunk);
    first_panel_.push_back(first_panel_.back() + CeilDiv(task.out.cols, kPanel));
    tiles += CeilDiv(task.out.cols, kPanel) * chunks * blocks;
  }
  // Then the panels of all tasks are one row of work. A grain is a whole number of groups of four.
  const int64_t panels = first_panel_.back();
  const int64_t parts =
      std::clamp<int64_t>(tiles / kGrainTiles, 1, pool_.threads() == 1 ? 1 : 4 * pool_.threads());
  const int64_t grain = CeilDiv(CeilDiv(std::max<int64_t>(1, panels), parts), 4) * 4;
  pool_.ParallelFor(panels, grain, [&](int worker, int64_t begin, int64_t end) {
    std::byte* scratch =
        scratch_[static_cast<size_t>(worker)]->Reserve(MatMulBlocking::kScratchBytes);
    auto next = std::upper_bound(first_panel_.begin(), first_panel_.end(), begin);
    while (begin < end) {
      const size_t i = static_cast<size_t>(next - first_panel_.begin()) - 1;
      const int64_t stop = std::min(end, *next);
      kernels_.mat_mul(matmuls_[i], begin - first_panel_[i], stop - first_panel_[i], scratch);
      begin = stop, ++next;
    }
  });
  matmuls_.clear();
  matmul_x_.clear();
}

}  // namespace shoal::cpu
