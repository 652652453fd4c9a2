// Where a run was taken.

#ifndef SHOAL_TOOLS_LOADGEN_MACHINE_H_
#define SHOAL_TOOLS_LOADGEN_MACHINE_H_

#include <string>

namespace shoal::loadgen {

struct Machine {
  std::string cpu;     // "unknown" where the system does not tell
  int cores = 0;       // that this process may use
  std::string system;  // name and release of the kernel
};

Machine ThisMachine();

// User and system time of this process so far.
double ProcessCpuSeconds();

}  // namespace shoal::loadgen

#endif  // SHOAL_TOOLS_LOADGEN_MACHINE_H_
