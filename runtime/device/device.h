#ifndef SHOAL_RUNTIME_DEVICE_DEVICE_H_
#define SHOAL_RUNTIME_DEVICE_DEVICE_H_

#include <cstddef>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "runtime/device/ops.h"
#include "runtime/tensor/arena.h"
#include "runtime/tensor/tensor.h"

namespace shoal {

// Owner of a piece of device memory; frees it when it dies.  The device must outlive it.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Arena::Source& source, std::byte* data, size_t bytes)
      : source_(&source), data_(data), bytes_(bytes) {}
  Buffer(Buffer&& other) noexcept { *this = std::move(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(source_, other.source_);
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Buffer() {
    if (data_ != nullptr) source_->FreeChunk(data_, bytes_);
  }

  std::byte* data() const { return data_; }
  size_t bytes() const { return bytes_; }

 private:
  Arena::Source* source_ = nullptr;
  std::byte* data_ = nullptr;
  size_t bytes_ = 0;
};

// One accelerator, or the CPU.  Memory, transfers and one queue of operations.
// Owned by the engine thread once serving; loading happens before, from one thread.
class Device {
 public:
  virtual ~Device() = default;

  virtual std::string name()
      const = 0;  // "cpu/amx", "cpu/avx512", "cpu/portable", "reference", "cuda/sm_90a"
  // Zeroed memory, 64-byte aligned.  RESOURCE_EXHAUSTED names the bytes asked for and the bytes
  // free.
  virtual absl::StatusOr<Buffer> Allocate(size_t bytes) = 0;
  virtual Arena::Source& arena_source() = 0;

  virtual void Upload(absl::Span<const std::byte> host, std::byte* device) = 0;
  virtual void Download(const std::byte* device, absl::Span<std::byte> host) = 0;

  // The bytes that a weight [out, in] of this dtype takes in the device's own layout, scales not
  // included.
  virtual size_t WeightBytes(DType dtype, int64_t out, int64_t in) const = 0;
  // Lays `host` (row-major [out, in], rows may be strided) out at `device` for the matmuls; the
  // returned view is what they take.  `scale` is device memory, needed for F8_E4M3 only; a device
  // that keeps FP8 keeps the view of it too. REQUIRES: `device` holds WeightBytes(...) bytes; both
  // outlive the weight.
  virtual Weight LayOut(Tensor host, Tensor scale, std::byte* device) = 0;

  virtual Ops& ops() = 0;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_DEVICE_DEVICE_H_
