#ifndef SHOAL_RUNTIME_DEVICE_CPU_CEILINGS_H_
#define SHOAL_RUNTIME_DEVICE_CPU_CEILINGS_H_

#include <functional>
#include <vector>

#include "absl/types/span.h"

namespace shoal::cpu {

// What this machine can do at most, all of the measured threads together: what benchmarks quote
// their shares of. 0 where the machine has no such unit.
struct Ceilings {
  double dram_read_bytes_per_s = 0;  // the best of several ways to read far more than a cache holds
  double tile_flops_per_s = 0;       // bf16 tile products whose operands, zeros, stay in tiles
  double number_flops_per_s = 0;     // the same of numbers: they take power, and so clock
  double fma_flops_per_s = 0;        // float32 fma on the widest vectors, operands in registers
};

// Takes about a second and 1 GiB of memory.
Ceilings MeasureCeilings(int threads);

// The median seconds of each of `runs`, after one of each to warm up, taken in turn (A B A B ...)
// so that what slows the machine for a while slows all of them. `threads` is what a run works with:
// one thread is timed by its own processor time, which other processes do not lengthen, and several
// by the clock on the wall. A round gives each run about `slice_s` seconds.
std::vector<double> MedianSeconds(int threads, absl::Span<const std::function<void()>> runs,
                                  int rounds = 7, double slice_s = 0.02);

}  // namespace shoal::cpu

#endif  // SHOAL_RUNTIME_DEVICE_CPU_CEILINGS_H_
