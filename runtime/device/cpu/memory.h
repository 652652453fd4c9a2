#ifndef SHOAL_RUNTIME_DEVICE_CPU_MEMORY_H_
#define SHOAL_RUNTIME_DEVICE_CPU_MEMORY_H_

#include <cstddef>

#include "absl/status/statusor.h"

#include "runtime/device/device.h"
#include "runtime/tensor/arena.h"

namespace shoal::cpu {

// Host memory for a device: pages from the system, 64-byte aligned and zeroed; large pieces ask for
// huge pages, which spare the walk over a weight matrix its address translations. Thread-safe.
class HostMemory : public Arena::Source {
 public:
  std::byte* AllocateChunk(size_t bytes) override;
  void FreeChunk(std::byte* p, size_t bytes) override;

  // RESOURCE_EXHAUSTED names the bytes asked for and the bytes free.
  absl::StatusOr<Buffer> Allocate(size_t bytes);
};

}  // namespace shoal::cpu

#endif  // SHOAL_RUNTIME_DEVICE_CPU_MEMORY_H_
