#ifndef SHOAL_RUNTIME_DEVICE_CPU_CPU_DEVICE_H_
#define SHOAL_RUNTIME_DEVICE_CPU_CPU_DEVICE_H_

#include <memory>

#include "absl/status/statusor.h"

#include "runtime/device/cpu/isa.h"
#include "runtime/device/device.h"

namespace shoal {

struct CpuOptions {
  Isa isa = Isa::kBest;
  int threads = 1;  // that compute, the caller's included
};

// The CPU as a device: activations in BF16, weights in BF16 or F8_E4M3 (F32 ones are rounded to
// BF16 by LayOut), and results that depend neither on the instruction set nor on the number of
// threads (README.md). INVALID_ARGUMENT when threads < 1; FAILED_PRECONDITION names an instruction
// set that this machine lacks.
absl::StatusOr<std::unique_ptr<Device>> NewCpuDevice(const CpuOptions& options);

}  // namespace shoal

#endif  // SHOAL_RUNTIME_DEVICE_CPU_CPU_DEVICE_H_
