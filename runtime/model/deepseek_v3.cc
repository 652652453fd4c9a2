// Symbols and equation numbers are the V3 report's.
#include "runtime/model/deepseek_v3.h"

#include <utility>

#include "runtime/base/check.h"
#include "runtime/model/pass_math.h"
#include "runtime/model/rope.h"

namespace shoal {
namespace {

using Phase = PassObserver::Phase;

// x_i W_i^T for every head i, in act.
Tensor HeadMatMul(Pass& p, Tensor x, absl::Span<const Weight> w) {
  const Tensor out = NewAct(p, x.rows, x.heads * w[0].out()).Heads(x.heads);
  p.ops.HeadMatMul(x, w, out);
  return out;
}

Tensor Rope(Pass& p, Tensor x, const RopeTable& rope, absl::Span<const RowPlace> places) {
  const Tensor out = NewAct(p, x.rows, x.width()).Heads(x.heads);
  p.ops.Rope(x, rope, places, out);
  return out;
}

Tensor Cast(Pass& p, Tensor x) {
  const Tensor out = NewAct(p, x.rows, x.width()).Heads(x.heads);
  p.ops.Cast(x, out);
  return out;
}

// W_down (silu(W_gate x) * W_up x), in float32.
Tensor Ffn(Pass& p, Tensor x, const FfnWeights& w) {
  const Tensor gate = MatMul(p, x, w.gate);
  const Tensor up = MatMul(p, x, w.up);
  const Tensor product = NewAct(p, x.rows, gate.cols);
  p.ops.SwiGlu(gate, up, product);
  return MatMul(p, product, w.down);
}

// The same for every local expert at once: x's rows lie expert by expert.  The result is in act: it
// is rounded here, once, whether or not it then travels (rule N4).
Tensor ExpertFfn(Pass& p, Tensor x, absl::Span<const int32_t> rows, const MoeWeights& w) {
  const int64_t width = w.gate[0].out();
  const Tensor gate = NewF32(p, x.rows, width), up = NewF32(p, x.rows, width);
  p.ops.GroupedMatMul(x, rows, w.gate, gate);
  p.ops.GroupedMatMul(x, rows, w.up, up);
  const Tensor product = NewAct(p, x.rows, width);
  p.ops.SwiGlu(gate, up, product);
  const Tensor out = NewAct(p, x.rows, x.cols);
  p.ops.GroupedMatMul(product, rows, w.down, out);
  return out;
}

}  // namespace

DeepSeekV3::DeepSeekV3(const DeepSeekConfig& config, DeepSeekWeights weights)
    : config_(config), weights_(std::move(weights)), softmax_scale_(SoftmaxScale(config)) {
  CHECK_EQ(static_cast<int>(weights_.layers.size()), config_.layers);
}

Tensor DeepSeekV3::Forward(Pass& pass, const Batch& batch) const {
  Lane lane{batch};
  Embed(pass, lane);
  for (int layer = 0; layer < config_.layers; ++layer) {
    Block(pass, lane, weights_.layers[layer], Cache(pass, batch, layer));
  }
  return Head(pass, lane);
}

KvLayer DeepSeekV3::Cache(const Pass& pass, const Batch& batch, int layer) const {
  const int64_t lines = pass.kv_lines_per_layer;
  return {pass.kv_lines.Rows(layer * lines, lines), batch.block_tables};
}

void DeepSeekV3::Block(Pass& pass, Lane& lane, const LayerWeights& w, const KvLayer& kv) const {
  Attend(pass, lane, w, kv);
  if (w.moe.has_value()) {
    Dispatch(pass, lane, *w.moe);
    Experts(pass, lane, *w.moe);
    Combine(pass, lane, w);
  } else {
    Dense(pass, lane, w);
  }
}

void DeepSeekV3::Embed(Pass& pass, Lane& lane) const {
  lane.x = NewF32(pass, lane.batch.rows(), config_.hidden);
  lane.h = NewAct(pass, lane.batch.rows(), config_.hidden);
  pass.ops.Embed(lane.batch.ids, weights_.embedding, lane.x);
  pass.ops.RmsNorm(lane.x, weights_.first_norm, config_.rms_eps, lane.h);
}

// Multi-head latent attention with W^UK absorbed into the query and W^UV into the output (rule N6),
// so that only the latent c^KV and the shared k^R are cached and read.
Tensor DeepSeekV3::Mla(Pass& p, const Lane& lane, const MlaWeights& w, const KvLayer& kv) const {
  const DeepSeekConfig& c = config_;
  const Tensor h = lane.h;
  const absl::Span<const RowPlace> at = lane.batch.places;

  // Down to the latents and up to the queries.
  const Tensor cq = w.dq ? RmsNorm(p, MatMul(p, h, *w.dq), w.q_norm, c.rms_eps) : h;  // (6)
  const auto [qc, qr] = MatMul(p, cq, w.uq).Heads(c.heads).Split(c.nope_dim);         // (7-9)
  const auto [latent, kr] = MatMul(p, h, w.dkv).Split(c.kv_lora_rank);                // (1, 3)
  const Tensor ckv = RmsNorm(p, latent, w.kv_norm, c.rms_eps);
  p.ops.AppendKv(kv, ckv, Rope(p, kr, weights_.rope, at), at);

  // softmax(q k^T) c^KV over the cache, in latent space.
  const Tensor q_latent = HeadMatMul(p, Cast(p, qc), w.kv_b.uk);  // [T, heads, kv_rank]   (2)
  const Tensor q_rope = Rope(p, qr, weights_.rope, at);           // [T, heads, rope]
  const Tensor attended = NewAct(p, h.rows, int64_t{c.heads} * c.kv_lora_rank).Heads(c.heads);
  p.ops.MlaAttend(q_latent, q_rope, kv, at, softmax_scale_, attended);  // (10)

  const Tensor o = HeadMatMul(p, attended, w.kv_b.uv);  // [T, heads, v]                   (5)
  return MatMul(p, o.Flat(), w.o);                      // u = W^O [o_1; ...; o_nh]        (11)
}

// x += MLA(RmsNorm(x))
void DeepSeekV3::Attend(Pass& pass, Lane& lane, const LayerWeights& w, const KvLayer& kv) const {
  Begin(pass, Phase::kAttend);
  const Tensor u = Mla(pass, lane, w.attn, kv);
  pass.ops.AddRmsNorm(lane.x, u, w.ffn_norm, config_.rms_eps, lane.h);
}

// x += FFN(RmsNorm(x))
void DeepSeekV3::Dense(Pass& pass, Lane& lane, const LayerWeights& w) const {
  Begin(pass, Phase::kExperts);
  lane.y = Ffn(pass, lane.h, w.dense);
  pass.ops.AddRmsNorm(lane.x, lane.y, w.next_norm, config_.rms_eps, lane.h);
}

// x += sum_i FFN^(s)_i(u) + sum_i g_i FFN^(r)_i(u), where u = RmsNorm(x) (12), in three stages.
// The gate g (13-16) sends tokens off to their experts,
void DeepSeekV3::Dispatch(Pass& pass, Lane& lane, const MoeWeights& w) const {
  Begin(pass, Phase::kDispatch);
  pass.ops.Gate(lane.h, w.centroids, w.bias, config_.gate, &lane.routing);
  lane.dispatched =
      pass.exchange->BeginDispatch(lane.channel, w.index, pass.arena, lane.h, lane.routing);
}

// the shared expert runs while they travel, then the routed ones on the tokens that came here,
void DeepSeekV3::Experts(Pass& pass, Lane& lane, const MoeWeights& w) const {
  Begin(pass, Phase::kExperts);
  if (w.shared.has_value()) lane.y = Ffn(pass, lane.h, *w.shared);
  pass.exchange->EndDispatch(pass.arena, lane.dispatched);
  if (pass.observer != nullptr) pass.observer->OnExperts(w.index, lane.dispatched.slot_rows);
  const Tensor outputs = ExpertFfn(pass, lane.dispatched.x, lane.dispatched.slot_rows, w);
  pass.exchange->BeginCombine(pass.arena, lane.dispatched, outputs);
}

// and the outputs come home and are added, weighted, in the order of expert ids (rule N9).
void DeepSeekV3::Combine(Pass& pass, Lane& lane, const LayerWeights& w) const {
  Begin(pass, Phase::kCombine);
  const Tensor home = pass.exchange->EndCombine(pass.arena, lane.dispatched, lane.routing);
  if (!w.moe->shared.has_value()) {  // nothing to add to but x itself
    pass.ops.CombineExperts(home, lane.routing, lane.x);
    pass.ops.RmsNorm(lane.x, w.next_norm, config_.rms_eps, lane.h);
    return;
  }
  pass.ops.CombineExperts(home, lane.routing, lane.y);
  pass.ops.AddRmsNorm(lane.x, lane.y, w.next_norm, config_.rms_eps, lane.h);
}

Tensor DeepSeekV3::Head(Pass& pass, Lane& lane) const {
  Begin(pass, Phase::kHead);
  if (pass.hidden != nullptr) *pass.hidden = lane.h;
  return Logits(pass, lane.h, lane.batch.logit_rows, weights_.head);
}

}  // namespace shoal
