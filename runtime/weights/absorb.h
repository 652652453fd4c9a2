#ifndef SHOAL_RUNTIME_WEIGHTS_ABSORB_H_
#define SHOAL_RUNTIME_WEIGHTS_ABSORB_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

#include "runtime/tensor/dtype.h"
#include "runtime/tensor/tensor.h"

namespace shoal {

// The load-time conversions.  Host memory in, host memory out; packed, row-major.

// Exact.  host is F32 or BF16.
std::vector<float> ToFloats(Tensor host);

// host [rows, cols] is BF16 (exact) or FP8 with scales [ceil(rows/128), ceil(cols/128)]: bf16(fp8 *
// scale), rounded once, to nearest even.
std::vector<BF16> ToBf16(Tensor host, absl::Span<const float> scales);

// [rows, cols] -> [cols, rows].
std::vector<BF16> Transposed(const BF16* matrix, int64_t rows, int64_t cols);

}  // namespace shoal

#endif  // SHOAL_RUNTIME_WEIGHTS_ABSORB_H_
