#ifndef SHOAL_RUNTIME_SAMPLING_CHOOSE_KERNELS_H_
#define SHOAL_RUNTIME_SAMPLING_CHOOSE_KERNELS_H_

#include "runtime/device/cpu/isa.h"
#include "runtime/sampling/logit_kernels.h"

namespace shoal {

// kBest takes the fastest of this machine. REQUIRES: one of SupportedIsas(), or kBest.
const LogitKernels& KernelsOf(Isa isa);

}  // namespace shoal

#endif  // SHOAL_RUNTIME_SAMPLING_CHOOSE_KERNELS_H_
