#ifndef SHOAL_RUNTIME_DEVICE_CPU_MAKE_KERNELS_H_
#define SHOAL_RUNTIME_DEVICE_CPU_MAKE_KERNELS_H_

#include <cstddef>
#include <cstdint>

#include "runtime/device/cpu/attention_kernel.h"
#include "runtime/device/cpu/kernels.h"
#include "runtime/device/cpu/matmul_kernel.h"
#include "runtime/device/cpu/row_kernels.h"

namespace shoal::cpu {

// The table of one instruction set from its lanes, its product and its FP8 widening.
template <class V, class P, class Widen>
constexpr Kernels MakeKernels() {
  return {
      .mat_mul =
          [](const MatMulTask& task, int64_t first, int64_t last, std::byte* scratch) {
            MatMulKernel<V, P, Widen>(task, scratch).Run(first, last);
          },
      .attend = [](const AttendTask& task,
                   std::byte* scratch) { AttendKernel<V, P>(task, scratch).Run(); },
      .norm = &Norm<V>,
      .swiglu = &SwiGlu<V>,
      .cast = &Cast<V>,
      .add = &Add<V>,
      .combine = &Combine<V>,
      .gate_scores = &GateScores<V>,
  };
}

}  // namespace shoal::cpu

#endif  // SHOAL_RUNTIME_DEVICE_CPU_MAKE_KERNELS_H_
