// The smallest program that needs every part of the CUDA toolchain: nvcc for
// sm_90a, the static runtime, and (in its test) NCCL and cuBLASLt.

#ifndef SHOAL_TOOLS_CUDA_SMOKE_CUDA_SMOKE_H_
#define SHOAL_TOOLS_CUDA_SMOKE_CUDA_SMOKE_H_

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace shoal {

// OK when this machine has a GPU of compute capability 9.0 that a kernel can
// run on; else UNAVAILABLE (no driver or device) or FAILED_PRECONDITION
// (another GPU), with the reason.
absl::Status UsableGpu();

// values[i] = bf16(values[i]) + 1, computed on the GPU. REQUIRES: UsableGpu().
absl::Status RoundAndAddOneOnGpu(absl::Span<float> values);

}  // namespace shoal

#endif  // SHOAL_TOOLS_CUDA_SMOKE_CUDA_SMOKE_H_
