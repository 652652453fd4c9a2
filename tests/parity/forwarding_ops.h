#ifndef SHOAL_TESTS_PARITY_FORWARDING_OPS_H_
#define SHOAL_TESTS_PARITY_FORWARDING_OPS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"

#include "runtime/device/ops.h"
#include "runtime/tensor/tensor.h"

namespace shoal {

// Passes everything on to `real`: the base of decorators that change or watch one operation.
class ForwardingOps : public Ops {
 public:
  explicit ForwardingOps(Ops& real) : real_(real) {}
  DType activation_dtype() const override { return real_.activation_dtype(); }
  void Embed(absl::Span<const TokenId> ids, Tensor table, Tensor out) override {
    real_.Embed(ids, table, out);
  }
  void RmsNorm(Tensor x, Tensor gain, float eps, Tensor out) override {
    real_.RmsNorm(x, gain, eps, out);
  }
  void AddRmsNorm(Tensor x, Tensor delta, Tensor gain, float eps, Tensor out) override {
    real_.AddRmsNorm(x, delta, gain, eps, out);
  }
  void MatMul(Tensor x, const Weight& w, Tensor out) override { real_.MatMul(x, w, out); }
  void HeadMatMul(Tensor x, absl::Span<const Weight> w, Tensor out) override {
    real_.HeadMatMul(x, w, out);
  }
  void GroupedMatMul(Tensor x, absl::Span<const int32_t> rows, absl::Span<const Weight> w,
                     Tensor out) override {
    real_.GroupedMatMul(x, rows, w, out);
  }
  void SwiGlu(Tensor gate, Tensor up, Tensor out) override { real_.SwiGlu(gate, up, out); }
  void Rope(Tensor x, const RopeTable& rope, absl::Span<const RowPlace> rows, Tensor out) override {
    real_.Rope(x, rope, rows, out);
  }
  void AppendKv(const KvLayer& kv, Tensor latent, Tensor k_rope,
                absl::Span<const RowPlace> rows) override {
    real_.AppendKv(kv, latent, k_rope, rows);
  }
  void MlaAttend(Tensor q_latent, Tensor q_rope, const KvLayer& kv, absl::Span<const RowPlace> rows,
                 float scale, Tensor out) override {
    real_.MlaAttend(q_latent, q_rope, kv, rows, scale, out);
  }
  void Gate(Tensor x, Tensor w, Tensor bias, const GateConfig& config, Routing* out) override {
    real_.Gate(x, w, bias, config, out);
  }
  void CombineExperts(Tensor home, const Routing& routing, Tensor out) override {
    real_.CombineExperts(home, routing, out);
  }
  void Cast(Tensor x, Tensor out) override { real_.Cast(x, out); }
  void GatherRows(Tensor x, absl::Span<const int32_t> index, Tensor out) override {
    real_.GatherRows(x, index, out);
  }
  void Add(Tensor x, Tensor y) override { real_.Add(x, y); }
  absl::Status Finish() override { return real_.Finish(); }

 protected:
  Ops& real_;
};

}  // namespace shoal

#endif  // SHOAL_TESTS_PARITY_FORWARDING_OPS_H_
