#include "runtime/weights/quantize.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "runtime/base/check.h"
#include "runtime/weights/tensor_table.h"

namespace shoal {
namespace {

constexpr float kLargest = 448;  // of e4m3

}  // namespace

Fp8Matrix QuantizeFp8(absl::Span<const BF16> w, int64_t rows, int64_t cols) {
  CHECK_EQ(static_cast<int64_t>(w.size()), rows * cols);
  Fp8Matrix out;
  out.data.resize(w.size());
  for (int64_t row0 = 0; row0 < rows; row0 += kScaleBlock) {
    const int64_t row1 = std::min(rows, row0 + kScaleBlock);
    for (int64_t col0 = 0; col0 < cols; col0 += kScaleBlock) {
      const int64_t col1 = std::min(cols, col0 + kScaleBlock);
      float amax = 0;
      for (int64_t r = row0; r < row1; ++r) {
        for (int64_t c = col0; c < col1; ++c)
          amax = std::max(amax, std::fabs(w[r * cols + c].ToFloat()));
      }
      // A block so small that its scale would be denormal becomes zeros.
      const float scale = amax / kLargest < 0x1p-126f ? 1 : amax / kLargest;
      out.scales.push_back(scale);
      for (int64_t r = row0; r < row1; ++r) {
        for (int64_t c = col0; c < col1; ++c) {
          out.data[r * cols + c] = F8E4M3::FromFloat(w[r * cols + c].ToFloat() / scale);
        }
      }
    }
  }
  return out;
}

}  // namespace shoal
