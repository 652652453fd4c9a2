// The operations that are made of matrix products: MatMul and its kin, attention, the gate.

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"

#include "runtime/base/check.h"
#include "runtime/device/cpu/attention.h"
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
// Rows times panels of heads that one attention task holds: they share the packed values of a tile,
// and their sums stay in the second-level cache.
constexpr int64_t kAttendUnit = 16;

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

void CpuOps::MlaAttend(Tensor q_latent, Tensor q_rope, const KvLayer& kv,
                       absl::Span<const RowPlace> rows, float scale, Tensor out) {
  const auto count = static_cast<int64_t>(rows.size());
  const int64_t heads = q_latent.heads;
  CHECK(q_latent.rows == count && q_rope.rows == count && out.rows == count &&
        q_rope.heads == heads && out.heads == heads && out.cols == q_latent.cols &&
        kv.lines.cols == q_latent.cols + q_rope.cols)
      << q_latent.ShapeString() << " " << q_rope.ShapeString() << " " << kv.lines.ShapeString()
      << " " << out.ShapeString() << " for " << count << " rows";
  for (const Tensor& t : {q_latent, q_rope, kv.lines, out})
    CHECK(t.dtype == DType::kBF16) << t.ShapeString();
  CHECK(kv.first >= 0 && kv.first < kKvBlock) << kv.first;
  if (count == 0) return;
  const int64_t panels = CeilDiv(heads, kPanel);
  int64_t positions = 0;
  for (int64_t t = 0, n; t < count; t += n) {
    const RowPlace& first = rows[static_cast<size_t>(t)];
    const auto& table = kv.tables[static_cast<size_t>(first.table)];
    for (n = 1;
         n < kAttendUnit && t + n < count && rows[static_cast<size_t>(t + n)].table == first.table;
         ++n) {
      CHECK_GT(rows[static_cast<size_t>(t + n)].position,
               rows[static_cast<size_t>(t + n - 1)].position);
    }
    const int32_t last = rows[static_cast<size_t>(t + n - 1)].position;
    CHECK(first.position >= kv.first && last < static_cast<int64_t>(table.size()) * kKvBlock)
        << "positions " << first.position << " to " << last << " in " << table.size()
        << " blocks from position " << kv.first;
    positions += n * (last + 1);
    const int64_t step =
        kPanel * std::clamp(CeilDiv(panels, pool_.threads()), int64_t{1}, CeilDiv(kAttendUnit, n));
    for (int64_t head = 0; head < heads; head += step) {
      attends_.push_back({q_latent, q_rope, kv.lines, table.data(), rows.data(), scale, out, t, n,
                          head, std::min(step, heads - head), kv.first});
    }
  }
  const auto units = static_cast<int64_t>(attends_.size());
  const bool small = positions * panels * CeilDiv(kv.lines.cols, kChunk) / 8 < kGrainTiles;
  pool_.ParallelFor(units, small ? units : 1, [&](int worker, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const AttendTask& task = attends_[static_cast<size_t>(i)];
      kernels_.attend(task,
                      scratch_[static_cast<size_t>(worker)]->Reserve(AttendScratch(task).bytes));
    }
  });
  attends_.clear();
}

void CpuOps::Gate(Tensor x, Tensor w, Tensor bias, const GateConfig& config, Routing* out) {
  CHECK(x.dtype == DType::kBF16 && w.dtype == DType::kF32 && x.cols == w.cols &&
        w.rows == config.experts)
      << x.ShapeString() << " by " << w.ShapeString() << " for " << config.experts << " experts";
  CHECK(bias.empty() || (bias.dtype == DType::kF32 && bias.cols == config.experts))
      << bias.ShapeString();
  CHECK(config.groups > 0 && config.experts % config.groups == 0)
      << config.experts << " experts in " << config.groups << " groups";
  CHECK(config.top_groups > 0 && config.top_groups <= config.groups && config.top_k > 0 &&
        config.top_k <= config.experts / config.groups * config.top_groups)
      << config.top_k << " experts of " << config.top_groups << " groups of "
      << config.experts / config.groups;
  out->k = config.top_k;
  out->expert.resize(static_cast<size_t>(x.rows * config.top_k));
  out->weight.resize(static_cast<size_t>(x.rows * config.top_k));
  const GateTask task{x, w, config.score == GateScore::kSoftmax,
                      shared_.ReserveOf<float>(x.rows * config.experts)};
  const float* bias_row = bias.empty() ? nullptr : bias.At<float>(0);
  // Few rows share the weights of a pass over the experts: rows are divided once, not taken one by
  // one.
  const int64_t share = CeilDiv(x.rows, pool_.threads());
  const int64_t grain = std::max<int64_t>(share, 65536 / (w.rows * w.cols) + 1);
  pool_.ParallelFor(x.rows, grain, [&](int worker, int64_t begin, int64_t end) {
    kernels_.gate_scores(task, begin, end);
    for (int64_t t = begin; t < end; ++t) {
      choices_[static_cast<size_t>(worker)].Choose(config, task.scores + t * config.experts,
                                                   bias_row, out->expert.data() + t * config.top_k,
                                                   out->weight.data() + t * config.top_k);
    }
  });
}

}  // namespace shoal::cpu
