#ifndef SHOAL_RUNTIME_MODEL_DEEPSEEK_WEIGHTS_H_
#define SHOAL_RUNTIME_MODEL_DEEPSEEK_WEIGHTS_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "runtime/device/ops.h"
#include "runtime/tensor/tensor.h"
#include "runtime/weights/weight_store.h"

namespace shoal {

// The weights of one rank, named as the V3 report names them; views of a WeightStore.

struct MlaWeights {
  std::optional<Weight>
      dq;              // W^DQ [q_lora_rank, hidden]; without it the query comes straight from h
  Tensor q_norm;       // [1, q_lora_rank]
  Weight uq;           // [W^UQ; W^QR] [heads * (nope + rope), q_lora_rank, or hidden]
  Weight dkv;          // [W^DKV; W^KR] [kv_lora_rank + rope, hidden]
  Tensor kv_norm;      // [1, kv_lora_rank]
  AbsorbedHeads kv_b;  // W^UK and W^UV, head by head
  Weight o;            // W^O [hidden, heads * v]
};

struct FfnWeights {
  Weight gate, up, down;  // [width, hidden] twice, [hidden, width]
};

struct MoeWeights {
  int32_t index = 0;                   // among the MoE layers
  Tensor centroids, bias;              // e_i [experts, hidden] F32, b_i [1, experts] F32 or empty
  std::optional<FfnWeights> shared;    // none where n_shared_experts is 0
  std::vector<Weight> gate, up, down;  // of the local slots' experts
};

struct LayerWeights {
  MlaWeights attn;
  Tensor ffn_norm;                // [1, hidden], between attention and FFN
  FfnWeights dense;               // of a dense layer
  std::optional<MoeWeights> moe;  // of any other
  Tensor next_norm;  // [1, hidden], of what follows: the next layer's attention, or the head
};

struct DeepSeekWeights {
  Tensor embedding;   // [vocab, hidden]
  Tensor first_norm;  // [1, hidden], before the first layer's attention
  std::vector<LayerWeights> layers;
  Weight head;  // [vocab, hidden]
  RopeTable rope;
};

// The multi-token-prediction module.  Its embedding and head are the main model's where the
// checkpoint's copies are equal.
struct MtpWeights {
  Tensor embedding;     // [vocab, hidden]
  Tensor zero;          // [1, hidden]: what stands for the embedding of a sequence's first row
  Tensor enorm, hnorm;  // [1, hidden]
  Weight eh_proj;       // [hidden, 2 * hidden], of [embedding; hidden]
  Tensor first_norm;    // [1, hidden], before the block's attention
  LayerWeights block;   // next_norm is shared_head.norm
  Weight head;          // [vocab, hidden]
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_MODEL_DEEPSEEK_WEIGHTS_H_
