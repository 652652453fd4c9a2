#include "runtime/weights/absorb.h"

#include "runtime/base/check.h"
#include "runtime/weights/tensor_table.h"

namespace shoal {

std::vector<float> ToFloats(Tensor host) {
  CHECK(host.dtype == DType::kF32 || host.dtype == DType::kBF16);
  const int64_t n = host.rows * host.cols;
  if (host.dtype == DType::kF32) return {host.At<float>(0), host.At<float>(0) + n};
  std::vector<float> out(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) out[i] = host.At<BF16>(0)[i].ToFloat();
  return out;
}

std::vector<BF16> ToBf16(Tensor host, absl::Span<const float> scales) {
  const int64_t n = host.rows * host.cols;
  if (host.dtype == DType::kBF16) return {host.At<BF16>(0), host.At<BF16>(0) + n};
  CHECK(host.dtype == DType::kF8E4M3);
  const int64_t blocks = (host.cols + kScaleBlock - 1) / kScaleBlock;
  CHECK_EQ(static_cast<int64_t>(scales.size()),
           (host.rows + kScaleBlock - 1) / kScaleBlock * blocks);
  std::vector<BF16> out(static_cast<size_t>(n));
  for (int64_t r = 0; r < host.rows; ++r) {
    for (int64_t c = 0; c < host.cols; ++c) {
      const float scale = scales[r / kScaleBlock * blocks + c / kScaleBlock];
      out[r * host.cols + c] = BF16::FromFloat(host.At<F8E4M3>(r)[c].ToFloat() * scale);
    }
  }
  return out;
}

std::vector<BF16> Transposed(const BF16* matrix, int64_t rows, int64_t cols) {
  std::vector<BF16> out(static_cast<size_t>(rows * cols));
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < cols; ++c) out[c * rows + r] = matrix[r * cols + c];
  }
  return out;
}

}  // namespace shoal
