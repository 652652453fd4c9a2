#ifndef SHOAL_RUNTIME_WEIGHTS_TESTING_HOST_DEVICE_H_
#define SHOAL_RUNTIME_WEIGHTS_TESTING_HOST_DEVICE_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "runtime/base/check.h"
#include "runtime/device/device.h"

namespace shoal {

// Device memory that is host memory, weights laid out as they come.  It has no operations: for
// tests of loading.
class HostDevice : public Device {
 public:
  // Allocations beyond `limit` bytes are refused.
  explicit HostDevice(size_t limit = size_t{1} << 30) : limit_(limit) {}

  std::string name() const override { return "host"; }
  absl::StatusOr<Buffer> Allocate(size_t bytes) override {
    if (bytes > limit_) {
      return absl::ResourceExhaustedError(
          absl::StrCat("asked for ", bytes, " bytes, ", limit_, " are free"));
    }
    std::byte* const p = source_.AllocateChunk(bytes);
    std::memset(p, 0, bytes);
    return Buffer(source_, p, bytes);
  }
  Arena::Source& arena_source() override { return source_; }
  void Upload(absl::Span<const std::byte> host, std::byte* device) override {
    std::memcpy(device, host.data(), host.size());
  }
  void Download(const std::byte* device, absl::Span<std::byte> host) override {
    std::memcpy(host.data(), device, host.size());
  }
  size_t WeightBytes(DType dtype, int64_t out, int64_t in) const override {
    return static_cast<size_t>(out * in) * SizeOf(dtype);
  }
  Weight LayOut(Tensor host, Tensor scale, std::byte* device) override {
    std::memcpy(device, host.data, host.bytes());
    return {Tensor::Of(device, host.dtype, host.rows, host.cols), scale};
  }
  Ops& ops() override {
    CHECK(false) << "a HostDevice computes nothing";
    std::abort();
  }

 private:
  class Source : public Arena::Source {
   public:
    std::byte* AllocateChunk(size_t bytes) override {
      return static_cast<std::byte*>(::operator new (bytes, std::align_val_t{64}));
    }
    void FreeChunk(std::byte* p, size_t) override { ::operator delete (p, std::align_val_t{64}); }
  };
  const size_t limit_;
  Source source_;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_WEIGHTS_TESTING_HOST_DEVICE_H_
