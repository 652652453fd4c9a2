#include "runtime/sampling/choose_kernels.h"

namespace shoal {

const LogitKernels& KernelsOf(Isa isa) {
  if (isa == Isa::kBest) isa = SupportedIsas().front();
  switch (isa) {
    case Isa::kAmx:
    case Isa::kAvx512:
      return Avx512LogitKernels();
    case Isa::kAvx2:
      return Avx2LogitKernels();
    case Isa::kBest:
    case Isa::kPortable:
      break;
  }
  return PortableLogitKernels();
}

}  // namespace shoal
