#ifndef SHOAL_RUNTIME_MODEL_MTP_H_
#define SHOAL_RUNTIME_MODEL_MTP_H_

#include "runtime/model/deepseek_v3.h"
#include "runtime/model/deepseek_weights.h"
#include "runtime/model/model.h"
#include "runtime/tensor/tensor.h"

namespace shoal {

// The first position with a row of the module: that of a sequence's second token.
inline constexpr int32_t kFirstDraftPosition = 1;

// The multi-token-prediction module of DeepSeek-V3 (arXiv 2412.19437, section 2.2, with one module:
// k = 1), as the published checkpoint is served:
//
//   h'_i = W_eh [RmsNorm(Emb(t_{i+1})); RmsNorm(h_i)]                     (21, the embedding first)
//   h_i  = RmsNorm(Block(h'_{0..i})),  logits of t_{i+2} = W_head h_i     (22, 23)
//
// with h_i on the right the main model's last hidden state after its final norm, and Emb(t_1) = 0.
// The block is one more transformer block of the model, of its dense or MoE kind.
//
// A row stands at its embedded token's place, i + 1: its cache line lies in that slot and its
// rotation is by that position (attention sees differences of positions only).  So the line of slot
// p depends on tokens 0..p and nothing later, as a main layer's does, and the hash of a block
// covers all that its lines depend on.  Slot 0 has no line, and no row reads it.
class Mtp : public DraftModel {
 public:
  // `main` is the model it belongs to and outlives it, as does what `weights` point into.
  Mtp(const DeepSeekV3& main, MtpWeights weights);

  Tensor Draft(Pass& pass, const Batch& batch, Tensor hidden) const override;

 private:
  void Enter(Pass& pass, Lane& lane, Tensor hidden) const;

  const DeepSeekV3& main_;
  const MtpWeights weights_;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_MODEL_MTP_H_
