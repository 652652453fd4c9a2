#include "runtime/model/tensor_table.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace shoal {
namespace {

using Use = TensorSpec::Use;

constexpr char kEmbedding[] = "model.embed_tokens.weight", kHead[] = "lm_head.weight";

// Appends specs to a table under the current prefix.
class TableWriter {
 public:
  TableWriter(const DeepSeekConfig& config, TensorTable& table) : config_(config), table_(table) {}

  // Every spec from here on is present, not loaded.
  void MarkUnused() { unused_ = true; }
  // Specs until EndExpert() belong to this expert.
  void BeginExpert(int32_t moe_layer, int32_t expert) { moe_layer_ = moe_layer, expert_ = expert; }
  void EndExpert() { moe_layer_ = expert_ = TensorSpec::kEveryRank; }

  // A linear layer [out, in]: BF16, or FP8 with its scales.
  void Linear(const std::string& name, int64_t out, int64_t in, Use use = Use::kMatrix,
              TensorSpec::HeadSplit split = {}) {
    Put({name,
         {out, in},
         {config_.fp8 ? DType::kF8E4M3 : DType::kBF16},
         use,
         moe_layer_,
         expert_,
         split});
    if (!config_.fp8) return;
    const auto blocks = [](int64_t n) { return (n + kScaleBlock - 1) / kScaleBlock; };
    Put({ScaleName(name),
         {blocks(out), blocks(in)},
         {DType::kF32},
         Use::kScale,
         moe_layer_,
         expert_,
         {}});
  }
  // One that is never quantized.
  void Plain(const std::string& name, std::vector<int64_t> shape, Use use) {
    std::vector<DType> dtypes = {DType::kBF16};
    if (use == Use::kVector) dtypes.push_back(DType::kF32);
    Put({name, std::move(shape), std::move(dtypes), use, moe_layer_, expert_, {}});
  }
  // One that the checkpoint holds a second time.
  void Copy(const std::string& name, const std::string& of, std::vector<int64_t> shape, Use use) {
    Plain(name, std::move(shape), use);
    if (!unused_) table_.back().copy_of = of;
  }
  // As DeepSeek stores it, in float32; some converters round it.
  void Bias(const std::string& name, int64_t n) {
    Put({name, {n}, {DType::kF32, DType::kBF16}, Use::kVector, moe_layer_, expert_, {}});
  }

 private:
  void Put(TensorSpec spec) {
    if (unused_) {
      spec.use = Use::kUnused;
      spec.moe_layer = spec.expert = TensorSpec::kEveryRank;
    }
    table_.push_back(std::move(spec));
  }

  const DeepSeekConfig& config_;
  TensorTable& table_;
  bool unused_ = false;
  int32_t moe_layer_ = TensorSpec::kEveryRank, expert_ = TensorSpec::kEveryRank;
};

void AddAttention(const DeepSeekConfig& c, const std::string& prefix, TableWriter& w) {
  const std::string attn = prefix + "self_attn.";
  const int64_t q_out = int64_t{c.heads} * c.qk_dim();
  if (c.q_lora_rank == 0) {
    w.Linear(attn + "q_proj.weight", q_out, c.hidden);
  } else {
    w.Linear(attn + "q_a_proj.weight", c.q_lora_rank, c.hidden);
    w.Plain(attn + "q_a_layernorm.weight", {c.q_lora_rank}, Use::kVector);
    w.Linear(attn + "q_b_proj.weight", q_out, c.q_lora_rank);
  }
  w.Linear(attn + "kv_a_proj_with_mqa.weight", c.kv_line(), c.hidden);
  w.Plain(attn + "kv_a_layernorm.weight", {c.kv_lora_rank}, Use::kVector);
  w.Linear(attn + "kv_b_proj.weight", int64_t{c.heads} * (c.nope_dim + c.v_dim), c.kv_lora_rank,
           Use::kAbsorbed, {c.heads, c.nope_dim, c.v_dim});
  w.Linear(attn + "o_proj.weight", c.hidden, int64_t{c.heads} * c.v_dim);
}

void AddFfn(const DeepSeekConfig& c, const std::string& prefix, int64_t width, TableWriter& w) {
  w.Linear(prefix + "gate_proj.weight", width, c.hidden);
  w.Linear(prefix + "up_proj.weight", width, c.hidden);
  w.Linear(prefix + "down_proj.weight", c.hidden, width);
}

void AddMoe(const DeepSeekConfig& c, int32_t layer, TableWriter& w) {
  const std::string mlp = LayerPrefix(layer) + "mlp.";
  w.Plain(mlp + "gate.weight", {c.gate.experts, c.hidden}, Use::kVector);
  if (c.gate_bias) w.Bias(mlp + "gate.e_score_correction_bias", c.gate.experts);
  for (int32_t e = 0; e < c.gate.experts; ++e) {
    w.BeginExpert(layer - c.dense_layers, e);
    AddFfn(c, ExpertPrefix(layer, e), c.expert_ffn, w);
  }
  w.EndExpert();
  if (c.shared_experts > 0) AddFfn(c, mlp + "shared_experts.", c.shared_ffn(), w);
}

void AddLayer(const DeepSeekConfig& c, int32_t layer, TableWriter& w) {
  const std::string prefix = LayerPrefix(layer);
  w.Plain(prefix + "input_layernorm.weight", {c.hidden}, Use::kVector);
  AddAttention(c, prefix, w);
  w.Plain(prefix + "post_attention_layernorm.weight", {c.hidden}, Use::kVector);
  if (layer < c.dense_layers) {
    AddFfn(c, prefix + "mlp.", c.dense_ffn, w);
  } else {
    AddMoe(c, layer, w);
  }
}

// The multi-token-prediction module (V3 paper 2.2): a layer with its own way in and out.
void AddMtp(const DeepSeekConfig& c, int32_t layer, TableWriter& w) {
  const std::string prefix = LayerPrefix(layer);
  w.Copy(prefix + "embed_tokens.weight", kEmbedding, {c.vocab, c.hidden}, Use::kTable);
  w.Plain(prefix + "enorm.weight", {c.hidden}, Use::kVector);
  w.Plain(prefix + "hnorm.weight", {c.hidden}, Use::kVector);
  w.Plain(prefix + "eh_proj.weight", {c.hidden, 2 * int64_t{c.hidden}}, Use::kMatrix);
  AddLayer(c, layer, w);
  w.Plain(prefix + "shared_head.norm.weight", {c.hidden}, Use::kVector);
  w.Copy(prefix + "shared_head.head.weight", kHead, {c.vocab, c.hidden}, Use::kMatrix);
}

}  // namespace

std::string LayerPrefix(int32_t layer) { return absl::StrCat("model.layers.", layer, "."); }

std::string ExpertPrefix(int32_t layer, int32_t expert) {
  return absl::StrCat("model.layers.", layer, ".mlp.experts.", expert, ".");
}

int32_t PlacedLayers(const DeepSeekConfig& config, bool mtp) {
  return config.moe_layers() + (mtp ? config.mtp_layers : 0);
}

TensorTable DeepSeekTensorTable(const DeepSeekConfig& config, bool mtp) {
  TensorTable table;
  TableWriter w(config, table);
  w.Plain(kEmbedding, {config.vocab, config.hidden}, Use::kTable);
  for (int32_t layer = 0; layer < config.layers; ++layer) AddLayer(config, layer, w);
  w.Plain("model.norm.weight", {config.hidden}, Use::kVector);
  w.Plain(kHead, {config.vocab, config.hidden}, Use::kMatrix);
  if (!mtp) w.MarkUnused();
  for (int32_t i = 0; i < config.mtp_layers; ++i) AddMtp(config, config.layers + i, w);
  return table;
}

WeightShare ShareOf(const ExpertPlacement& placement, int rank) {
  WeightShare share;
  for (int layer = 0; layer < placement.layers(); ++layer) {
    const absl::Span<const int32_t> experts = placement.ExpertsOf(layer, rank);
    share.experts.emplace_back(experts.begin(), experts.end());
  }
  return share;
}

int64_t ShareBytes(const TensorTable& table, const WeightShare& share) {
  int64_t bytes = 0;
  for (const TensorSpec& spec : table) {
    if (InShare(spec, share) && spec.copy_of.empty())
      bytes += spec.elements() * static_cast<int64_t>(SizeOf(spec.dtypes.front()));
  }
  return bytes;
}

int64_t ParameterCount(const TensorTable& table) {
  int64_t count = 0;
  for (const TensorSpec& spec : table) {
    const bool counts = spec.use != Use::kUnused && spec.use != Use::kScale;
    if (counts && spec.copy_of.empty()) count += spec.elements();
  }
  return count;
}

}  // namespace shoal
