#ifndef SHOAL_RUNTIME_WEIGHTS_TENSOR_TABLE_H_
#define SHOAL_RUNTIME_WEIGHTS_TENSOR_TABLE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "runtime/tensor/dtype.h"

namespace shoal {

// DeepSeek-V3's names for the block scales of an FP8 matrix NAME, and the side of a block
// (README_WEIGHTS.md).
inline constexpr absl::string_view kScaleSuffix = "_scale_inv";
inline constexpr int64_t kScaleBlock = 128;

// One tensor that a checkpoint of some config must hold: the table is data, made by the model's
// package from config.json, and is the exact expected set: a checkpoint with one more or one less
// is refused.
struct TensorSpec {
  enum class Use : uint8_t {
    kMatrix,  // matmul weight: BF16, or FP8 with NAME_scale_inv beside it (listed as a spec of its
              // own)
    kAbsorbed,  // kv_b_proj, held head by head as the absorbed form of attention takes it: see
                // HeadSplit
    kScale,     // the float32 block scales of an FP8 matrix
    kVector,    // norm gain, bias, router centroids: held as float32
    kTable,     // gathered rows (the embedding): held as stored
    kUnused,  // must be there and must fit, is not loaded (the MTP module while speculation is off)
  };
  static constexpr int32_t kEveryRank = -1;

  // A matrix [heads * (nope + v), in] as `heads` pairs: rows [0, nope) of each head transposed to
  // [in, nope] (W_UK, absorbed into the query) and rows [nope, nope + v) as they are (W_UV). Blocks
  // of an FP8 matrix do not respect heads in general, so it becomes bf16: w = bf16(fp8 * scale),
  // one rounding, once, here.
  struct HeadSplit {
    int64_t heads = 0, nope = 0, v = 0;
  };

  std::string name;
  std::vector<int64_t> shape;  // as stored
  std::vector<DType> dtypes;   // allowed as stored
  Use use = Use::kMatrix;
  // A routed expert's: only the ranks that hold logical expert `expert` in MoE layer `moe_layer`
  // read its bytes.
  int32_t moe_layer = kEveryRank, expert = kEveryRank;
  HeadSplit split;  // of kAbsorbed
  // A tensor of the same use, shape and dtypes, read by every rank, that checkpoints repeat under
  // this name.  Where the data is equal byte for byte, it is held once and both names find it.
  std::string copy_of;

  int64_t elements() const {
    int64_t n = 1;
    for (const int64_t dim : shape) n *= dim;
    return n;
  }
};

using TensorTable = std::vector<TensorSpec>;

// Where the block scales of `matrix` stand.
inline std::string ScaleName(absl::string_view matrix) {
  return absl::StrCat(matrix, kScaleSuffix);
}

}  // namespace shoal

#endif  // SHOAL_RUNTIME_WEIGHTS_TENSOR_TABLE_H_
