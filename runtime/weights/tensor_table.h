#ifndef SHOAL_RUNTIME_WEIGHTS_TENSOR_TABLE_H_
#define SHOAL_RUNTIME_WEIGHTS_TENSOR_TABLE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/tensor/dtype.h"

namespace shoal {

// One tensor that a checkpoint of some config must hold: the table is data, made by the model's package from
// config.json, and is the exact expected set: a checkpoint with one more or one less is refused.
struct TensorSpec {
  enum class Use : uint8_t {
    kMatrix,   // matmul weight: BF16, or FP8 with NAME_scale_inv beside it (listed as a spec of its own)
    kScale,    // the float32 block scales of an FP8 matrix
    kVector,   // norm gain, bias: held as float32
    kTable,    // gathered or float32-read rows: embedding, gate; held as stored
    kUnused,   // must be there and must fit, is not loaded (the MTP module while speculation is off)
  };
  static constexpr int32_t kEveryRank = -1;

  std::string name;
  std::vector<int64_t> shape;  // as stored
  std::vector<DType> dtypes;   // allowed as stored
  Use use = Use::kMatrix;
  // A routed expert's: only the ranks that hold logical expert `expert` in MoE layer `moe_layer` read its bytes.
  int32_t moe_layer = kEveryRank, expert = kEveryRank;
};

using TensorTable = std::vector<TensorSpec>;

}  // namespace shoal

#endif  // SHOAL_RUNTIME_WEIGHTS_TENSOR_TABLE_H_
