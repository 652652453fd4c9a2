#ifndef SHOAL_RUNTIME_DEVICE_CONTRACT_SIDE_H_
#define SHOAL_RUNTIME_DEVICE_CONTRACT_SIDE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "runtime/device/device.h"
#include "runtime/device/ops.h"
#include "runtime/tensor/dtype.h"
#include "runtime/tensor/tensor.h"

namespace shoal {

// A matrix on the host.
struct Values {
  int64_t rows = 0, cols = 0;
  std::vector<float> data;

  Values Row(int64_t row) const;  // [1, cols]
};

// Standard normal values times `magnitude`, the same for the same seed.
Values RandomValues(uint32_t seed, int64_t rows, int64_t cols, float magnitude = 1);
// The values that survive a conversion to `dtype`.
Values Rounded(Values values, DType dtype);

// One device in a test that runs the same operations on several: puts tensors on it and takes
// results back. Outputs begin as NaN, so that an element that nobody wrote shows.
class Side {
 public:
  explicit Side(Device& device) : device_(device) {}

  Ops& ops() { return device_.ops(); }
  DType act() { return ops().activation_dtype(); }

  Tensor Put(const Values& values, DType dtype);
  Tensor PutF32(const Values& values) { return Put(values, DType::kF32); }
  Tensor PutAct(const Values& values) { return Put(values, act()); }
  Tensor Out(DType dtype, int64_t rows, int64_t cols);
  Tensor OutF32(int64_t rows, int64_t cols) { return Out(DType::kF32, rows, cols); }
  Tensor OutAct(int64_t rows, int64_t cols) { return Out(act(), rows, cols); }
  // scale [ceil(rows / 128), ceil(cols / 128)] for F8_E4M3, else unused.
  Weight PutWeight(const Values& values, DType dtype, const Values& scale = {});

  // Finishes, and reads a packed tensor.
  std::vector<std::byte> Bytes(Tensor t);
  std::vector<float> Get(Tensor t);

 private:
  std::byte* Place(const void* host, size_t bytes);

  Device& device_;
  std::vector<Buffer> buffers_;
};

// |a - b| / |b| in the Euclidean norm; 0 for two empty ones; NaN where either has one.
double RelativeL2(const std::vector<float>& a, const std::vector<float>& b);

}  // namespace shoal

#endif  // SHOAL_RUNTIME_DEVICE_CONTRACT_SIDE_H_
