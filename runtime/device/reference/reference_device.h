#ifndef SHOAL_RUNTIME_DEVICE_REFERENCE_REFERENCE_DEVICE_H_
#define SHOAL_RUNTIME_DEVICE_REFERENCE_REFERENCE_DEVICE_H_

#include <memory>

#include "runtime/device/device.h"

namespace shoal {

// The oracle: every operation as its formula, in plain loops over float32 values with double sums,
// one thread, no blocking, no tricks. activation_dtype() is F32, weights are widened to float32 by
// LayOut (FP8 with its scales), and attention keeps all scores of a row. It is what backends are
// tested against, and what parity with an independent implementation is measured on. Slow on
// purpose.
std::unique_ptr<Device> NewReferenceDevice();

}  // namespace shoal

#endif  // SHOAL_RUNTIME_DEVICE_REFERENCE_REFERENCE_DEVICE_H_
