#ifndef SHOAL_RUNTIME_MODEL_DEEPSEEK_V3_H_
#define SHOAL_RUNTIME_MODEL_DEEPSEEK_V3_H_

#include <cstdint>

#include "runtime/device/ops.h"
#include "runtime/model/config.h"
#include "runtime/model/deepseek_weights.h"
#include "runtime/model/model.h"
#include "runtime/moe/exchange.h"
#include "runtime/tensor/tensor.h"

namespace shoal {

// A batch, or one half of it, on its way through the layers.  Its tensors live in the pass's arena.
struct Lane {
  const Batch& batch;
  int channel = 0;  // of the exchange; two lanes of a pass take different ones
  Tensor x;         // [T, hidden] F32: the residual stream
  Tensor h;         // [T, hidden] act: RmsNorm(x), which the next sublayer reads
  Tensor y;         // [T, hidden] F32: what the sublayer under way will add to x

  // Of the MoE layer under way.
  Routing routing;
  Dispatched dispatched;
};

// DeepSeek-V3 (arXiv 2412.19437, section 2.1) and its smaller relatives.  Knows neither ranks nor
// devices: tokens go to their experts through pass.exchange, everything else is pass.ops. Stateless
// between passes, so any number of threads may run passes with surroundings of their own.
class DeepSeekV3 : public Model {
 public:
  // `weights` are views; what they point into outlives the model.
  DeepSeekV3(const DeepSeekConfig& config, DeepSeekWeights weights);

  Tensor Forward(Pass& pass, const Batch& batch) const override;

  int layers() const override { return config_.layers; }
  int kv_line() const override { return config_.kv_line(); }
  int vocab() const override { return config_.vocab; }
  int max_positions() const override { return static_cast<int>(weights_.rope.cos.rows); }
  const DeepSeekConfig& config() const { return config_; }

  // One transformer block.  lane.x and lane.h, x normed for the block's attention, go in; they come
  // out as the next block takes them (h by w.next_norm).  `kv` is the block's cache.
  void Block(Pass& pass, Lane& lane, const LayerWeights& w, const KvLayer& kv) const;
  // The part of the pass's cache that belongs to `layer`.
  KvLayer Cache(const Pass& pass, const Batch& batch, int layer) const;

 private:
  // A MoE layer is four stages, so that a driver may alternate two lanes, one computing while the
  // other's tokens travel.  A dense layer is Attend, then Dense.
  void Attend(Pass& pass, Lane& lane, const LayerWeights& w, const KvLayer& kv) const;
  void Dense(Pass& pass, Lane& lane, const LayerWeights& w) const;
  void Dispatch(Pass& pass, Lane& lane, const MoeWeights& w) const;
  void Experts(Pass& pass, Lane& lane, const MoeWeights& w) const;
  void Combine(Pass& pass, Lane& lane, const LayerWeights& w) const;

  void Embed(Pass& pass, Lane& lane) const;
  Tensor Mla(Pass& pass, const Lane& lane, const MlaWeights& w, const KvLayer& kv) const;
  Tensor Head(Pass& pass, Lane& lane) const;

  const DeepSeekConfig config_;
  const DeepSeekWeights weights_;
  const float softmax_scale_;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_MODEL_DEEPSEEK_V3_H_
