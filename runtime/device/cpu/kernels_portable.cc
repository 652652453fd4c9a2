#include "runtime/device/cpu/block_product.h"
#include "runtime/device/cpu/kernels.h"
#include "runtime/device/cpu/lanes_portable.h"
#include "runtime/device/cpu/make_kernels.h"
#include "runtime/device/cpu/matmul_kernel.h"

namespace shoal::cpu {

const Kernels& PortableKernels() {
  using V = LanesPortable;
  static constexpr Kernels kKernels = MakeKernels<V, LanesProduct<V>, WidenByTable<V>>();
  return kKernels;
}

}  // namespace shoal::cpu
