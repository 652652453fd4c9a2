#ifndef SHOAL_RUNTIME_DEVICE_CPU_CPU_OPS_H_
#define SHOAL_RUNTIME_DEVICE_CPU_CPU_OPS_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"

#include "runtime/device/cpu/attention.h"
#include "runtime/device/cpu/gate.h"
#include "runtime/device/cpu/kernels.h"
#include "runtime/device/cpu/matmul.h"
#include "runtime/device/cpu/scratch.h"
#include "runtime/device/cpu/thread_pool.h"
#include "runtime/device/ops.h"
#include "runtime/tensor/tensor.h"

namespace shoal::cpu {

// Checks shapes, divides an operation over the threads (rule N2: never over K) and hands the parts
// to one instruction set's kernels. Everything is done when a call returns. Activations are BF16.
// Thread-compatible.
class CpuOps final : public Ops {
 public:
  CpuOps(const Kernels& kernels, int threads);

  DType activation_dtype() const override { return DType::kBF16; }
  void Embed(absl::Span<const TokenId> ids, Tensor table, Tensor out) override;
  void RmsNorm(Tensor x, Tensor gain, float eps, Tensor out) override;
  void AddRmsNorm(Tensor x, Tensor delta, Tensor gain, float eps, Tensor out) override;
  void MatMul(Tensor x, const Weight& w, Tensor out) override;
  void HeadMatMul(Tensor x, absl::Span<const Weight> w, Tensor out) override;
  void GroupedMatMul(Tensor x, absl::Span<const int32_t> rows, absl::Span<const Weight> w,
                     Tensor out) override;
  void SwiGlu(Tensor gate, Tensor up, Tensor out) override;
  void Rope(Tensor x, const RopeTable& rope, absl::Span<const RowPlace> rows, Tensor out) override;
  void AppendKv(const KvLayer& kv, Tensor latent, Tensor k_rope,
                absl::Span<const RowPlace> rows) override;
  void MlaAttend(Tensor q_latent, Tensor q_rope, const KvLayer& kv, absl::Span<const RowPlace> rows,
                 float scale, Tensor out) override;
  void Gate(Tensor x, Tensor w, Tensor bias, const GateConfig& config, Routing* out) override;
  void CombineExperts(Tensor home, const Routing& routing, Tensor out) override;
  void Cast(Tensor x, Tensor out) override;
  void GatherRows(Tensor x, absl::Span<const int32_t> index, Tensor out) override;
  void Add(Tensor x, Tensor y) override;
  absl::Status Finish() override { return absl::OkStatus(); }

 private:
  // body(begin, end) over rows that move `row_bytes` each.
  void ForRows(int64_t rows, int64_t row_bytes, absl::FunctionRef<void(int64_t, int64_t)> body);
  void AddMatMul(Tensor x, const Weight& w, Tensor out);  // one more task, its x not packed yet
  void RunMatMuls();                                      // all of them

  const Kernels& kernels_;
  ThreadPool pool_;
  // Working memory, kept from call to call.
  std::vector<std::unique_ptr<Scratch>> scratch_;  // per thread
  Scratch shared_;                                 // packed rows, gate scores
  std::vector<MatMulTask> matmuls_;
  std::vector<Tensor> matmul_x_;      // per task
  std::vector<int64_t> first_panel_;  // per task: panels of the tasks before it; then all
  std::vector<AttendTask> attends_;
  std::vector<ExpertChoice> choices_;  // per thread
};

}  // namespace shoal::cpu

#endif  // SHOAL_RUNTIME_DEVICE_CPU_CPU_OPS_H_
