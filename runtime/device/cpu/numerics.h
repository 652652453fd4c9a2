#ifndef SHOAL_RUNTIME_DEVICE_CPU_NUMERICS_H_
#define SHOAL_RUNTIME_DEVICE_CPU_NUMERICS_H_

#include <string>

namespace shoal {

// The version of the arithmetic that README.md describes. Every change that can change a bit of any
// result counts it up: workers with different ids refuse each other, and every journal carries the
// id (rule N11).
inline constexpr int kNumericsVersion = 1;

// "cpu-1-<16 hex digits>": the version, and a digest of every constant table that kernels use. The
// same on all machines and for all instruction sets.
std::string numerics_id();

}  // namespace shoal

#endif  // SHOAL_RUNTIME_DEVICE_CPU_NUMERICS_H_
