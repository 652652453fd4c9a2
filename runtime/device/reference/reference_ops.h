#ifndef SHOAL_RUNTIME_DEVICE_REFERENCE_REFERENCE_OPS_H_
#define SHOAL_RUNTIME_DEVICE_REFERENCE_REFERENCE_OPS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"

#include "runtime/device/ops.h"
#include "runtime/tensor/tensor.h"

namespace shoal::reference {

// ops.h says what each operation is. Tensors are F32, weights F32 row-major.
class ReferenceOps final : public Ops {
 public:
  DType activation_dtype() const override { return DType::kF32; }
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
};

}  // namespace shoal::reference

#endif  // SHOAL_RUNTIME_DEVICE_REFERENCE_REFERENCE_OPS_H_
