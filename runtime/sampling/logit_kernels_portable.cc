#include <cstdint>

#include "runtime/sampling/logit_kernel_loops.h"
#include "runtime/sampling/logit_kernels.h"

namespace shoal {
namespace {

struct Vectors {
  typedef float Floats __attribute__((vector_size(16)));
  typedef float HalfFloats __attribute__((vector_size(8)));
  typedef int32_t Ints __attribute__((vector_size(16)));
  typedef double Doubles __attribute__((vector_size(16)));
  typedef uint64_t Words __attribute__((vector_size(16)));
};

}  // namespace

const LogitKernels& PortableLogitKernels() {
  static constexpr LogitKernels kKernels = LogitKernelLoops<Vectors>::Table();
  return kKernels;
}

}  // namespace shoal
