#ifndef SHOAL_RUNTIME_DEVICE_CPU_SCRATCH_H_
#define SHOAL_RUNTIME_DEVICE_CPU_SCRATCH_H_

#include <cstddef>
#include <cstdint>

#include "runtime/device/cpu/memory.h"

namespace shoal::cpu {

// One piece of working memory that only grows, so that a steady state allocates nothing. 64-byte
// aligned; what was in it is lost when it grows.
class Scratch {
 public:
  Scratch() = default;
  ~Scratch() {
    if (data_ != nullptr) memory_.FreeChunk(data_, bytes_);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  std::byte* Reserve(int64_t bytes) {
    const auto wanted = static_cast<size_t>(bytes);
    if (wanted > bytes_) {
      if (data_ != nullptr) memory_.FreeChunk(data_, bytes_);
      bytes_ = wanted + wanted / 4;
      // What is nearly a huge page becomes one.
      if (bytes_ > kHugePage / 2) bytes_ = (bytes_ + kHugePage - 1) / kHugePage * kHugePage;
      data_ = memory_.AllocateChunk(bytes_);
    }
    return data_;
  }
  template <typename T>
  T* ReserveOf(int64_t n) {
    return reinterpret_cast<T*>(Reserve(n * static_cast<int64_t>(sizeof(T))));
  }

 private:
  static constexpr size_t kHugePage = size_t{2} << 20;

  HostMemory memory_;
  std::byte* data_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace shoal::cpu

#endif  // SHOAL_RUNTIME_DEVICE_CPU_SCRATCH_H_
