#ifndef SHOAL_RUNTIME_MODEL_PASS_MATH_H_
#define SHOAL_RUNTIME_MODEL_PASS_MATH_H_

#include <cstdint>

#include "absl/types/span.h"

#include "runtime/device/ops.h"
#include "runtime/model/model.h"
#include "runtime/tensor/arena.h"
#include "runtime/tensor/dtype.h"
#include "runtime/tensor/tensor.h"

// The notation of a forward pass: an operation that makes its output in the pass's arena.
namespace shoal {

inline Tensor NewF32(Pass& p, int64_t rows, int64_t cols) {
  return p.arena.New(DType::kF32, rows, cols);
}
inline Tensor NewAct(Pass& p, int64_t rows, int64_t cols) {
  return p.arena.New(p.ops.activation_dtype(), rows, cols);
}

// x W^T, in float32.
inline Tensor MatMul(Pass& p, Tensor x, const Weight& w) {
  const Tensor out = NewF32(p, x.rows, w.out());
  p.ops.MatMul(x, w, out);
  return out;
}

inline Tensor RmsNorm(Pass& p, Tensor x, Tensor gain, float eps) {
  const Tensor out = NewAct(p, x.rows, x.cols);
  p.ops.RmsNorm(x, gain, eps, out);
  return out;
}

// The logits of the wanted rows of h [T, hidden] act: [wanted, vocab] F32.
inline Tensor Logits(Pass& p, Tensor h, absl::Span<const int32_t> wanted, const Weight& head) {
  const Tensor rows = NewAct(p, static_cast<int64_t>(wanted.size()), h.cols);
  p.ops.GatherRows(h, wanted, rows);
  return MatMul(p, rows, head);
}

inline void Begin(Pass& p, PassObserver::Phase phase) {
  if (p.observer != nullptr) p.observer->OnPhase(phase);
}

}  // namespace shoal

#endif  // SHOAL_RUNTIME_MODEL_PASS_MATH_H_
