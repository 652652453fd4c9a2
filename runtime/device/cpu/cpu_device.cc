#include "runtime/device/cpu/cpu_device.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"

#include "runtime/base/check.h"
#include "runtime/device/cpu/cpu_ops.h"
#include "runtime/device/cpu/isa.h"
#include "runtime/device/cpu/kernels.h"
#include "runtime/device/cpu/matmul.h"
#include "runtime/device/cpu/memory.h"
#include "runtime/device/device.h"
#include "runtime/tensor/dtype.h"
#include "runtime/tensor/tensor.h"

namespace shoal {
namespace {

const cpu::Kernels& KernelsOf(Isa isa) {
  switch (isa) {
    case Isa::kAmx:
      return cpu::AmxKernels();
    case Isa::kAvx512:
      return cpu::Avx512Kernels();
    case Isa::kAvx2:
      return cpu::Avx2Kernels();
    default:
      return cpu::PortableKernels();
  }
}

class CpuDevice final : public Device {
 public:
  CpuDevice(Isa isa, int threads) : isa_(isa), ops_(KernelsOf(isa), threads) {}

  std::string name() const override { return std::string("cpu/").append(IsaName(isa_)); }
  absl::StatusOr<Buffer> Allocate(size_t bytes) override { return memory_.Allocate(bytes); }
  Arena::Source& arena_source() override { return memory_; }

  void Upload(absl::Span<const std::byte> host, std::byte* device) override {
    Copy(host.data(), device, host.size());
  }
  void Download(const std::byte* device, absl::Span<std::byte> host) override {
    Copy(device, host.data(), host.size());
  }

  size_t WeightBytes(DType dtype, int64_t out, int64_t in) const override {
    return static_cast<size_t>(cpu::PackedWeightSize(out, in)) * SizeOf(Held(dtype));
  }

  Weight LayOut(Tensor host, Tensor scale, std::byte* device) override {
    CHECK_EQ(host.heads, 1);
    cpu::PackWeight(host, device);
    Weight w{Tensor::Of(device, Held(host.dtype), host.rows, host.cols), Tensor{}};
    if (host.dtype == DType::kF8E4M3) w.scale = scale;
    return w;
  }

  Ops& ops() override { return ops_; }

 private:
  static DType Held(DType dtype) { return dtype == DType::kF32 ? DType::kBF16 : dtype; }
  static void Copy(const std::byte* from, std::byte* to, size_t bytes) {
    if (bytes > 0) std::memcpy(to, from, bytes);
  }

  const Isa isa_;
  cpu::HostMemory memory_;
  cpu::CpuOps ops_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Device>> NewCpuDevice(const CpuOptions& options) {
  if (options.threads < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("cpu device: threads is ", options.threads, ", not at least 1"));
  }
  const std::vector<Isa>& have = SupportedIsas();
  const Isa isa = options.isa == Isa::kBest ? have.front() : options.isa;
  if (std::find(have.begin(), have.end(), isa) == have.end()) {
    std::string names;
    for (Isa i : have) names.append(names.empty() ? "" : ", ").append(IsaName(i));
    return absl::FailedPreconditionError(absl::StrCat("cpu device: instruction set ",
                                                      std::string(IsaName(isa)),
                                                      " was asked for, this machine has ", names));
  }
  return std::make_unique<CpuDevice>(isa, options.threads);
}

}  // namespace shoal
