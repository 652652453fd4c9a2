#ifndef SHOAL_RUNTIME_DEVICE_CPU_PEER_MATMUL_H_
#define SHOAL_RUNTIME_DEVICE_CPU_PEER_MATMUL_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "runtime/tensor/dtype.h"

namespace shoal::cpu {

// One product of other people's libraries, out = x w^T, to be timed beside ours.
class PeerMatMul {
 public:
  struct Problem {
    int64_t rows, in, out;
    const std::vector<float>& x;  // [rows, in]
    const std::vector<float>& w;  // [out, in]
    size_t copies;                // of w, each in memory of its own
    int threads;
  };
  virtual ~PeerMatMul() = default;
  virtual void Run(size_t copy) = 0;                     // REQUIRES: copy < copies
  virtual const std::vector<float>& result() const = 0;  // [rows, out], of the last run
};

// oneDNN, weights in the layout that it asks for. dtype of x and w: BF16 or F32; out is F32.
std::unique_ptr<PeerMatMul> NewOneDnn(const PeerMatMul::Problem& problem, DType dtype);
// The name of the CPU for which OpenBLAS took its kernels when it was loaded.
std::string OpenBlasCore();
// OpenBLAS's sgemm. (Debian 12's has no sbgemm.)
std::unique_ptr<PeerMatMul> NewOpenBlas(const PeerMatMul::Problem& problem);

}  // namespace shoal::cpu

#endif  // SHOAL_RUNTIME_DEVICE_CPU_PEER_MATMUL_H_
