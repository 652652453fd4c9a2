#include "runtime/device/reference/reference_device.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "runtime/base/check.h"
#include "runtime/device/cpu/memory.h"
#include "runtime/device/device.h"
#include "runtime/device/reference/reference_ops.h"
#include "runtime/tensor/dtype.h"
#include "runtime/tensor/tensor.h"

namespace shoal {
namespace {

constexpr int64_t kScaleBlock = 128;

float Value(const Tensor& host, const Tensor& scale, int64_t row, int64_t col) {
  switch (host.dtype) {
    case DType::kF32:
      return host.At<float>(row)[col];
    case DType::kBF16:
      return host.At<BF16>(row)[col].ToFloat();
    case DType::kF8E4M3:
      return host.At<F8E4M3>(row)[col].ToFloat() *
             scale.At<float>(row / kScaleBlock)[col / kScaleBlock];
    default:
      CHECK(false) << "a weight of " << host.ShapeString();
      return 0;
  }
}

class ReferenceDevice final : public Device {
 public:
  std::string name() const override { return "reference"; }
  absl::StatusOr<Buffer> Allocate(size_t bytes) override { return memory_.Allocate(bytes); }
  Arena::Source& arena_source() override { return memory_; }

  void Upload(absl::Span<const std::byte> host, std::byte* device) override {
    if (!host.empty()) std::memcpy(device, host.data(), host.size());
  }
  void Download(const std::byte* device, absl::Span<std::byte> host) override {
    if (!host.empty()) std::memcpy(host.data(), device, host.size());
  }

  size_t WeightBytes(DType, int64_t out, int64_t in) const override {
    return static_cast<size_t>(out * in) * sizeof(float);
  }
  Weight LayOut(Tensor host, Tensor scale, std::byte* device) override {
    Weight w{Tensor::Of(device, DType::kF32, host.rows, host.cols), Tensor{}};
    for (int64_t row = 0; row < host.rows; ++row) {
      for (int64_t col = 0; col < host.cols; ++col)
        w.data.At<float>(row)[col] = Value(host, scale, row, col);
    }
    return w;
  }

  Ops& ops() override { return ops_; }

 private:
  cpu::HostMemory memory_;
  reference::ReferenceOps ops_;
};

}  // namespace

std::unique_ptr<Device> NewReferenceDevice() { return std::make_unique<ReferenceDevice>(); }

}  // namespace shoal
