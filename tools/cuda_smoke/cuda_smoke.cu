#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include "absl/strings/str_cat.h"

#include "tools/cuda_smoke/cuda_smoke.h"

namespace shoal {
namespace {

// values: [n]. One thread per element.
__global__ void RoundAndAddOne(float* values, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  // An instruction that only sm_90a has: the build proves that the
  // architecture-specific target is what nvcc was asked for.
  asm volatile("wgmma.fence.sync.aligned;");
  if (i < n) values[i] = __bfloat162float(__float2bfloat16(values[i])) + 1.0f;
}

absl::Status ToStatus(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat(what, ": ", cudaGetErrorString(error)));
}

// Frees device memory at the end of its scope.
struct DeviceMemory {
  float* data = nullptr;
  ~DeviceMemory() { cudaFree(data); }
};

}  // namespace

absl::Status UsableGpu() {
  int count = 0;
  if (auto status = ToStatus(cudaGetDeviceCount(&count), "no GPU"); !status.ok()) return status;
  if (count == 0) return absl::UnavailableError("no GPU: the driver lists none");
  cudaDeviceProp properties;
  if (auto status = ToStatus(cudaGetDeviceProperties(&properties, 0), "GPU 0"); !status.ok()) {
    return status;
  }
  if (properties.major != 9 || properties.minor != 0) {
    return absl::FailedPreconditionError(absl::StrCat("GPU 0 has compute capability ",
                                                      properties.major, ".", properties.minor,
                                                      ", the kernels are built for 9.0"));
  }
  return absl::OkStatus();
}

absl::Status RoundAndAddOneOnGpu(absl::Span<float> values) {
  const size_t bytes = values.size() * sizeof(float);
  DeviceMemory memory;
  absl::Status status = ToStatus(cudaMalloc(&memory.data, bytes), "cudaMalloc");
  if (!status.ok()) return status;
  status =
      ToStatus(cudaMemcpy(memory.data, values.data(), bytes, cudaMemcpyHostToDevice), "upload");
  if (!status.ok()) return status;
  constexpr int kThreads = 128;
  const int n = static_cast<int>(values.size());
  RoundAndAddOne<<<(n + kThreads - 1) / kThreads, kThreads>>>(memory.data, n);
  status = ToStatus(cudaGetLastError(), "launch");
  if (!status.ok()) return status;
  return ToStatus(cudaMemcpy(values.data(), memory.data, bytes, cudaMemcpyDeviceToHost),
                  "download");
}

}  // namespace shoal
