// Attention and the gate: which rows and heads, or rows, one thread takes.

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"

#include "runtime/base/check.h"
#include "runtime/device/cpu/attention.h"
#include "runtime/device/cpu/block_product.h"
#include "runtime/device/cpu/cpu_ops.h"
#include "runtime/device/cpu/kernels.h"
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

}  // namespace

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
  // All heads of some rows of one sequence are a unit of work. Where these are fewer than threads,
  // some of the heads are.
  const int64_t panels = CeilDiv(heads, kPanel);
  const int64_t unit_rows = std::max<int64_t>(1, kAttendUnit / panels);
  int64_t positions = 0;
  for (int64_t t = 0, n; t < count; t += n) {
    const RowPlace& first = rows[static_cast<size_t>(t)];
    const auto& table = kv.tables[static_cast<size_t>(first.table)];
    for (n = 1;
         n < unit_rows && t + n < count && rows[static_cast<size_t>(t + n)].table == first.table;
         ++n) {
      CHECK_GT(rows[static_cast<size_t>(t + n)].position,
               rows[static_cast<size_t>(t + n - 1)].position);
    }
    const int32_t last = rows[static_cast<size_t>(t + n - 1)].position;
    CHECK(first.position >= kv.first && last < static_cast<int64_t>(table.size()) * kKvBlock)
        << "positions " << first.position << " to " << last << " in " << table.size()
        << " blocks from position " << kv.first;
    positions += n * (last + 1);
    const int64_t parts = std::min(panels, CeilDiv(pool_.threads() * unit_rows, count));
    const int64_t step = kPanel * CeilDiv(panels, parts);
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
