#ifndef SHOAL_RUNTIME_DEVICE_CPU_NUMERICS_H_
#define SHOAL_RUNTIME_DEVICE_CPU_NUMERICS_H_

#include <string>

namespace shoal {

// The version of the arithmetic that README.md and runtime/sampling/README.md describe. Every
// change that can change a bit of any result counts it up: workers with different ids refuse each
// other, and every journal carries the id (rule N11).
//   2: the sampler sums integers, so that the order of a sum does not matter (N10)
inline constexpr int kNumericsVersion = 2;

// "cpu-2-<16 hex digits>": the version, and a digest of every constant table that kernels use. The
// same on all machines and for all instruction sets.
std::string numerics_id();

}  // namespace shoal

#endif  // SHOAL_RUNTIME_DEVICE_CPU_NUMERICS_H_
