#include "runtime/device/cpu/cpu_ops.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

#include "absl/functional/function_ref.h"
#include "absl/types/span.h"

#include "runtime/base/check.h"
#include "runtime/device/cpu/kernels.h"
#include "runtime/device/cpu/scratch.h"
#include "runtime/device/ops.h"
#include "runtime/tensor/dtype.h"
#include "runtime/tensor/tensor.h"

namespace shoal::cpu {
namespace {

// Bytes a thread should have to move before another is worth waking.
constexpr int64_t kGrainBytes = 32 << 10;

void CheckShape(const Tensor& t, DType dtype, int64_t rows, int64_t width, const char* what) {
  CHECK(t.dtype == dtype && t.rows == rows && t.width() == width)
      << what << " is " << t.ShapeString() << ", not [" << rows << ", " << width << "] "
      << DTypeName(dtype);
}

}  // namespace

CpuOps::CpuOps(const Kernels& kernels, int threads) : kernels_(kernels), pool_(threads) {
  for (int i = 0; i < threads; ++i) scratch_.push_back(std::make_unique<Scratch>());
  choices_.resize(static_cast<size_t>(threads));
}

void CpuOps::ForRows(int64_t rows, int64_t row_bytes,
                     absl::FunctionRef<void(int64_t, int64_t)> body) {
  const int64_t grain = kGrainBytes / std::max<int64_t>(1, row_bytes) + 1;
  pool_.ParallelFor(rows, grain, [&](int, int64_t begin, int64_t end) { body(begin, end); });
}

void CpuOps::Embed(absl::Span<const TokenId> ids, Tensor table, Tensor out) {
  const auto rows = static_cast<int64_t>(ids.size());
  CheckShape(out, DType::kF32, rows, table.cols, "Embed: out");
  CHECK(table.dtype == DType::kF32 || table.dtype == DType::kBF16) << table.ShapeString();
  for (int64_t t = 0; t < rows; ++t) {
    const TokenId id = ids[static_cast<size_t>(t)];
    CHECK(id >= 0 && id < table.rows) << "a token id is not in the vocabulary of " << table.rows;
    float* to = out.At<float>(t);
    if (table.dtype == DType::kF32) {
      std::memcpy(to, table.At<float>(id), static_cast<size_t>(table.cols) * sizeof(float));
    } else {
      const BF16* from = table.At<BF16>(id);
      for (int64_t i = 0; i < table.cols; ++i) to[i] = from[i].ToFloat();
    }
  }
}

void CpuOps::RmsNorm(Tensor x, Tensor gain, float eps, Tensor out) {
  CHECK_EQ(x.heads, 1);
  CHECK(x.dtype == DType::kF32 || x.dtype == DType::kBF16) << x.ShapeString();
  CheckShape(gain, DType::kF32, 1, x.cols, "RmsNorm: gain");
  CheckShape(out, DType::kBF16, x.rows, x.cols, "RmsNorm: out");
  const NormTask task{x, Tensor{}, gain, eps, out};
  ForRows(x.rows, x.cols * 8, [&](int64_t begin, int64_t end) { kernels_.norm(task, begin, end); });
}

void CpuOps::AddRmsNorm(Tensor x, Tensor delta, Tensor gain, float eps, Tensor out) {
  CHECK_EQ(x.heads, 1);
  CheckShape(delta, DType::kF32, x.rows, x.cols, "AddRmsNorm: delta");
  CheckShape(x, DType::kF32, x.rows, x.cols, "AddRmsNorm: x");
  CheckShape(gain, DType::kF32, 1, x.cols, "AddRmsNorm: gain");
  CheckShape(out, DType::kBF16, x.rows, x.cols, "AddRmsNorm: out");
  const NormTask task{x, delta, gain, eps, out};
  ForRows(x.rows, x.cols * 16,
          [&](int64_t begin, int64_t end) { kernels_.norm(task, begin, end); });
}

void CpuOps::SwiGlu(Tensor gate, Tensor up, Tensor out) {
  CHECK_EQ(gate.heads, 1);
  CheckShape(gate, DType::kF32, gate.rows, gate.cols, "SwiGlu: gate");
  CheckShape(up, DType::kF32, gate.rows, gate.cols, "SwiGlu: up");
  CheckShape(out, DType::kBF16, gate.rows, gate.cols, "SwiGlu: out");
  const PairTask task{gate, up, out};
  ForRows(gate.rows, gate.cols * 16,
          [&](int64_t begin, int64_t end) { kernels_.swiglu(task, begin, end); });
}

void CpuOps::Rope(Tensor x, const RopeTable& rope, absl::Span<const RowPlace> rows, Tensor out) {
  CHECK_EQ(static_cast<int64_t>(rows.size()), x.rows);
  CHECK_EQ(rope.cos.cols * 2, x.cols);
  CheckShape(x, DType::kF32, x.rows, x.heads * x.cols, "Rope: x");
  CheckShape(out, DType::kBF16, x.rows, x.heads * x.cols, "Rope: out");
  CHECK_EQ(out.heads, x.heads);
  ForRows(x.rows, x.width() * 16, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      const int32_t position = rows[static_cast<size_t>(t)].position;
      CHECK(position >= 0 && position < rope.cos.rows)
          << position << " of " << rope.cos.rows << " positions";
      const float* cos = rope.cos.At<float>(position);
      const float* sin = rope.sin.At<float>(position);
      for (int64_t h = 0; h < x.heads; ++h) {
        const float* from = x.At<float>(t, h);
        BF16* to = out.At<BF16>(t, h);
        // Compiled for any x86-64 and without contraction: three roundings each, on every machine.
        for (int64_t i = 0; i < x.cols / 2; ++i) {
          const float a = from[2 * i], b = from[2 * i + 1];
          to[2 * i] = BF16::FromFloat(a * cos[i] - b * sin[i]);
          to[2 * i + 1] = BF16::FromFloat(a * sin[i] + b * cos[i]);
        }
      }
    }
  });
}

void CpuOps::AppendKv(const KvLayer& kv, Tensor latent, Tensor k_rope,
                      absl::Span<const RowPlace> rows) {
  const auto count = static_cast<int64_t>(rows.size());
  CheckShape(latent, DType::kBF16, count, latent.cols, "AppendKv: latent");
  CheckShape(k_rope, DType::kBF16, count, k_rope.cols, "AppendKv: k_rope");
  CheckShape(kv.lines, DType::kBF16, kv.lines.rows, latent.cols + k_rope.cols, "AppendKv: lines");
  for (int64_t t = 0; t < count; ++t) {
    const RowPlace& place = rows[static_cast<size_t>(t)];
    const auto& table = kv.tables[static_cast<size_t>(place.table)];
    const int64_t block = table[static_cast<size_t>(place.position / kKvBlock)];
    BF16* line = kv.lines.At<BF16>(block * kKvBlock + place.position % kKvBlock);
    std::memcpy(line, latent.At<BF16>(t), static_cast<size_t>(latent.cols) * sizeof(BF16));
    std::memcpy(line + latent.cols, k_rope.At<BF16>(t),
                static_cast<size_t>(k_rope.cols) * sizeof(BF16));
  }
}

void CpuOps::CombineExperts(Tensor home, const Routing& routing, Tensor out) {
  CHECK_EQ(out.heads, 1);
  CHECK_EQ(routing.rows(), routing.k == 0 ? 0 : out.rows);
  CheckShape(home, DType::kBF16, out.rows * routing.k, out.cols, "CombineExperts: home");
  CheckShape(out, DType::kF32, out.rows, out.cols, "CombineExperts: out");
  const CombineTask task{home, routing.k, routing.weight.data(), out};
  ForRows(out.rows, out.cols * (8 + 2 * routing.k),
          [&](int64_t begin, int64_t end) { kernels_.combine(task, begin, end); });
}

void CpuOps::Cast(Tensor x, Tensor out) {
  CheckShape(x, DType::kF32, x.rows, x.width(), "Cast: x");
  CheckShape(out, DType::kBF16, x.rows, x.width(), "Cast: out");
  CHECK_EQ(out.heads, x.heads);
  const PairTask task{x, Tensor{}, out};
  ForRows(x.rows, x.width() * 6,
          [&](int64_t begin, int64_t end) { kernels_.cast(task, begin, end); });
}

void CpuOps::GatherRows(Tensor x, absl::Span<const int32_t> index, Tensor out) {
  CHECK_EQ(out.heads, x.heads);
  CheckShape(out, x.dtype, static_cast<int64_t>(index.size()), x.width(), "GatherRows: out");
  const size_t item = SizeOf(x.dtype);
  for (int64_t t = 0; t < out.rows; ++t) {
    const int32_t from = index[static_cast<size_t>(t)];
    CHECK(from >= 0 && from < x.rows) << "row " << from << " of " << x.ShapeString();
    for (int64_t h = 0; h < x.heads; ++h) {
      const auto at = static_cast<size_t>(from * x.row_stride + h * x.head_stride);
      const auto to = static_cast<size_t>(t * out.row_stride + h * out.head_stride);
      std::memcpy(out.data + to * item, x.data + at * item, static_cast<size_t>(x.cols) * item);
    }
  }
}

void CpuOps::Add(Tensor x, Tensor y) {
  CHECK_EQ(x.heads, 1);
  CheckShape(x, DType::kF32, x.rows, x.cols, "Add: x");
  CheckShape(y, DType::kF32, x.rows, x.cols, "Add: y");
  const PairTask task{x, y, Tensor{}};
  ForRows(x.rows, x.cols * 12, [&](int64_t begin, int64_t end) { kernels_.add(task, begin, end); });
}

}  // namespace shoal::cpu
