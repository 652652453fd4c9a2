#ifndef SHOAL_RUNTIME_WEIGHTS_QUANTIZE_H_
#define SHOAL_RUNTIME_WEIGHTS_QUANTIZE_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

#include "runtime/tensor/dtype.h"

namespace shoal {

// A matrix [rows, cols] in e4m3 with one scale per 128 x 128 block: w = data * scale of its block.
struct Fp8Matrix {
  std::vector<F8E4M3> data;   // [rows, cols]
  std::vector<float> scales;  // [ceil(rows/128), ceil(cols/128)]
};

// scale = (largest |w| of the block) / 448, 1 for a block of zeros; data = e4m3(w / scale), to
// nearest even.  Both divisions are float32's: the same bits on every machine.  REQUIRES: w is
// finite and rows * cols long.
Fp8Matrix QuantizeFp8(absl::Span<const BF16> w, int64_t rows, int64_t cols);

}  // namespace shoal

#endif  // SHOAL_RUNTIME_WEIGHTS_QUANTIZE_H_
