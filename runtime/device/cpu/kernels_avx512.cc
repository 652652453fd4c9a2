#include "runtime/device/cpu/block_product.h"
#include "runtime/device/cpu/kernels.h"
#include "runtime/device/cpu/lanes_avx512.h"
#include "runtime/device/cpu/make_kernels.h"
#include "runtime/device/cpu/matmul_kernel.h"

namespace shoal::cpu {

const Kernels& Avx512Kernels() {
  using V = LanesAvx512;
  static constexpr Kernels kKernels = MakeKernels<V, LanesProduct<V>, WidenByTable<V>>();
  return kKernels;
}

}  // namespace shoal::cpu
