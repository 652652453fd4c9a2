#include "runtime/model/config.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "absl/strings/str_cat.h"

#include "runtime/base/sha256.h"
#include "runtime/base/status_macros.h"
#include "runtime/base/strict_json.h"
#include "runtime/model/config_fields.h"
#include "runtime/weights/file.h"

namespace shoal {
namespace {

using nlohmann::json;

constexpr uint64_t kMaxConfigBytes = uint64_t{1} << 20;
// With these bounds no tensor has 2^50 elements, and the bytes of all of them fit 63 bits: what
// counts them (runtime/model/tensor_table) needs no checks.
constexpr int64_t kMaxWidth = int64_t{1} << 20;
constexpr int64_t kMaxLayers = 1024;
constexpr int64_t kMaxHeads = 4096;
constexpr int64_t kMaxHeadDim = 1 << 14;
constexpr int64_t kMaxExperts = 4096;
constexpr int64_t kMaxSharedExperts = 64;
constexpr int64_t kMaxAllExperts = 1 << 17;          // of all layers: nine times the 671B model's
constexpr int64_t kMaxPositions = int64_t{1} << 20;  // what the cos/sin routine is exact for
constexpr int64_t kMaxId = int64_t{1} << 24;
constexpr int64_t kMaxRotations = int64_t{1} << 28;  // the cos/sin table is made before any weight

void ReadShape(ConfigFields& f, DeepSeekConfig& c) {
  c.hidden = f.Int("hidden_size", 1, kMaxWidth);
  c.vocab = f.Int("vocab_size", 1, kMaxId);
  c.max_positions = f.Int("max_position_embeddings", 1, kMaxPositions);
  c.layers = f.Int("num_hidden_layers", 1, kMaxLayers);
  c.dense_layers = f.Int("first_k_dense_replace", 0, kMaxLayers);
  c.mtp_layers = f.Int("num_nextn_predict_layers", 0, 16, 0);
  c.rms_eps = static_cast<float>(f.Number("rms_norm_eps", 1e-12, 1));
  c.bos_id = f.Int("bos_token_id", 0, kMaxId, -1);
  c.eos_id = f.Int("eos_token_id", 0, kMaxId, -1);
  if (c.dense_layers >= c.layers) {
    f.Refuse("first_k_dense_replace",
             absl::StrCat("which leaves no MoE layer of num_hidden_layers ", c.layers));
  }
  for (const auto& [name, id] :
       {std::pair("bos_token_id", c.bos_id), std::pair("eos_token_id", c.eos_id)}) {
    if (id >= c.vocab) f.Refuse(name, absl::StrCat("but vocab_size is ", c.vocab));
  }
}

void ReadAttention(ConfigFields& f, DeepSeekConfig& c) {
  c.heads = f.Int("num_attention_heads", 1, kMaxHeads);
  c.q_lora_rank = f.Int("q_lora_rank", 1, kMaxWidth, 0);
  c.kv_lora_rank = f.Int("kv_lora_rank", 1, kMaxWidth);
  c.nope_dim = f.Int("qk_nope_head_dim", 1, kMaxHeadDim);
  c.rope_dim = f.Int("qk_rope_head_dim", 2, kMaxHeadDim);
  c.v_dim = f.Int("v_head_dim", 1, kMaxHeadDim);
  c.rope_theta = f.Number("rope_theta", 1.0001, 1e12);
  if (c.rope_dim % 2 != 0)
    f.Refuse("qk_rope_head_dim", "but rotation takes pairs: it must be even");
  if (int64_t{c.max_positions} * c.rope_dim > kMaxRotations) {
    f.Refuse("qk_rope_head_dim",
             absl::StrCat("which for max_position_embeddings ", c.max_positions,
                          " takes a rotation table of more than ", kMaxRotations, " numbers"));
  }
  f.Only("num_key_value_heads", c.heads,
         absl::StrCat("num_attention_heads is ", c.heads, " and MLA has no groups"));
  f.Only("qk_head_dim", c.qk_dim(), "it is qk_nope_head_dim + qk_rope_head_dim");
  f.Only("head_dim", c.rope_dim, "transformers writes qk_rope_head_dim here");
  f.Only("attention_bias", false, "no DeepSeek checkpoint has attention biases");
  f.Only("rope_interleave", true, "the checkpoint's rotation pairs are (2i, 2i+1)");
}

void ReadYarn(ConfigFields& f, DeepSeekConfig& c) {
  const json* const scaling = f.Object("rope_scaling");
  if (scaling == nullptr) return;
  ConfigFields y(*scaling, "rope_scaling.");
  const std::string type = y.String("type", y.String("rope_type", ""));
  if (type != "yarn")
    y.Refuse(y.Has("type") ? "type" : "rope_type", "but only \"yarn\" is supported");
  y.Only("rope_type", type, "it disagrees with type");
  YarnConfig yarn;
  yarn.factor = y.Number("factor", 1, 1e6);
  yarn.original_max_positions = y.Int("original_max_position_embeddings", 1, kMaxPositions);
  yarn.beta_fast = y.Number("beta_fast", 1e-6, 1e6, 32);
  yarn.beta_slow = y.Number("beta_slow", 1e-6, 1e6, 1);
  yarn.mscale = y.Number("mscale", 0, 100, 1);
  yarn.mscale_all_dim = y.Number("mscale_all_dim", 0, 100, 0);
  if (yarn.beta_slow > yarn.beta_fast) {
    y.Refuse("beta_slow",
             absl::StrCat("but beta_fast is ", yarn.beta_fast, ", and slow may not exceed fast"));
  }
  if (const absl::Status status = y.Finish(); !status.ok()) f.Fail(status);
  c.yarn = yarn;
}

void ReadExperts(ConfigFields& f, DeepSeekConfig& c) {
  c.dense_ffn = f.Int("intermediate_size", 1, kMaxWidth);
  c.expert_ffn = f.Int("moe_intermediate_size", 1, kMaxWidth);
  c.shared_experts = f.Int("n_shared_experts", 0, kMaxSharedExperts);
  c.gate.experts = f.Int("n_routed_experts", 1, kMaxExperts);
  c.gate.top_k = f.Int("num_experts_per_tok", 1, kMaxExperts);
  const int64_t moe_layers = int64_t{c.moe_layers()} + c.mtp_layers;
  if (moe_layers * c.gate.experts > kMaxAllExperts) {
    f.Refuse("n_routed_experts",
             absl::StrCat("which in ", moe_layers, " MoE layers makes ",
                          moe_layers * c.gate.experts, ", more than ", kMaxAllExperts));
  }
  f.Only("moe_layer_freq", 1, "every layer after the dense ones is MoE");
}

// Which of the family's three ways to choose experts, and whether the fields agree on it.
void ReadGate(ConfigFields& f, DeepSeekConfig& c) {
  const bool v3 = c.model_type == "deepseek_v3";
  const std::string score = f.String("scoring_func", v3 ? "sigmoid" : "softmax");
  const std::string method = f.String("topk_method", v3 ? "noaux_tc" : "greedy");
  const bool noaux = method == "noaux_tc", greedy = method == "greedy";
  GateConfig& g = c.gate;
  if (score != "sigmoid" && score != "softmax")
    f.Refuse("scoring_func", "not \"sigmoid\" or \"softmax\"");
  if (!noaux && !greedy && method != "group_limited_greedy") {
    f.Refuse("topk_method", "not \"noaux_tc\", \"group_limited_greedy\" or \"greedy\"");
  }
  if (noaux != (score == "sigmoid")) {
    f.Refuse("scoring_func",
             absl::StrCat("read as \"", score, "\", but topk_method is \"", method,
                          "\": noaux_tc goes with sigmoid, the others with softmax"));
  }
  g.score = score == "sigmoid" ? GateScore::kSigmoid : GateScore::kSoftmax;
  c.gate_bias = noaux;
  g.groups = f.Int("n_group", 1, kMaxExperts, 1);
  g.top_groups = f.Int("topk_group", 1, kMaxExperts, 1);
  g.group_score_terms = noaux ? 2 : 1;
  g.normalize = f.Bool("norm_topk_prob", v3);
  g.scale = static_cast<float>(f.Number("routed_scaling_factor", 1e-6, 1e6, v3 ? 2.5 : 1.0));
  if (greedy) g.groups = g.top_groups = 1;  // greedy looks at no groups, whatever n_group says
  if (g.experts % g.groups != 0) {
    f.Refuse("n_group", absl::StrCat("which does not divide n_routed_experts ", g.experts));
    return;
  }
  const int per_group = g.experts / g.groups;
  if (g.top_groups > g.groups) f.Refuse("topk_group", absl::StrCat("but n_group is ", g.groups));
  if (g.group_score_terms > per_group && g.groups > 1) {
    f.Refuse("n_group", absl::StrCat("which leaves ", per_group,
                                     " expert in a group; a group's score takes two"));
  }
  g.group_score_terms = std::min(g.group_score_terms, per_group);
  if (g.top_k > g.top_groups * per_group) {
    f.Refuse("num_experts_per_tok", absl::StrCat("but the best ", g.top_groups, " groups hold ",
                                                 g.top_groups * per_group, " experts"));
  }
  if (!noaux && g.normalize && g.scale != 1) {
    f.Refuse("norm_topk_prob",
             absl::StrCat("but routed_scaling_factor is ", g.scale,
                          ": published readers of the softmax gate disagree on their product"));
  }
}

void ReadQuantization(ConfigFields& f, DeepSeekConfig& c) {
  const json* const quantization = f.Object("quantization_config");
  if (quantization == nullptr) return;
  ConfigFields q(*quantization, "quantization_config.");
  for (const char* name : {"quant_method", "fmt", "weight_block_size"}) {
    if (!q.Has(name)) q.Refuse(name, "but must be given");
  }
  q.Only("quant_method", "fp8", "of the quantized forms");
  q.Only("fmt", "e4m3", "of the FP8 forms");
  q.Only("weight_block_size", json::array({128, 128}), "the kernels' block");
  q.Only("activation_scheme", "dynamic", "activations are not stored");
  q.Ignore("scale_fmt");  // ue8m0 (V3.1): its scales are float32 numbers like any other, and are
                          // read as stored
  if (const absl::Status status = q.Finish(); !status.ok()) f.Fail(status);
  c.fp8 = true;
}

void ReadTheRest(ConfigFields& f) {
  f.Only("hidden_act", "silu", "the experts are SwiGLU");
  f.Only("tie_word_embeddings", false, "the head is a tensor of its own");
  f.Only("attention_dropout", 0.0, "this is inference");
  f.Only("pretraining_tp", 1, "weights are whole");
  for (const char* name : {
           "architectures", "auto_map", "_name_or_path",  // which Python classes to load
           "torch_dtype", "dtype",
           "transformers_version",  // how it was saved; tensors carry their dtype
           "initializer_range", "aux_loss_alpha", "seq_aux",      // training
           "router_aux_loss_coef", "output_router_logits",        // training
           "use_cache", "pad_token_id", "ep_size", "is_decoder",  // how others run it
       }) {
    f.Ignore(name);
  }
}

}  // namespace

absl::StatusOr<DeepSeekConfig> ParseDeepSeekConfig(absl::string_view text, absl::string_view file) {
  ASSIGN_OR_RETURN(const json document, ParseStrictJson(text, file));
  ConfigFields f(document, "");
  DeepSeekConfig c;
  c.model_type = f.String("model_type", "");
  if (c.model_type != "deepseek_v3" && c.model_type != "deepseek_v2") {
    f.Refuse("model_type", "not \"deepseek_v3\" or \"deepseek_v2\"");
  }
  ReadShape(f, c);
  ReadAttention(f, c);
  ReadYarn(f, c);
  ReadExperts(f, c);
  ReadGate(f, c);
  ReadQuantization(f, c);
  ReadTheRest(f);
  RETURN_IF_ERROR(Annotate(f.Finish(), file));
  return c;
}

absl::StatusOr<DeepSeekConfig> ReadDeepSeekConfig(const std::string& folder) {
  const std::string path = absl::StrCat(folder, "/config.json");
  ASSIGN_OR_RETURN(const std::string text, ReadSmallFile(path, kMaxConfigBytes));
  return ParseDeepSeekConfig(text, path);
}

std::string DeepSeekConfig::Digest() const {
  // Floating point enters by its bits.
  const auto bits = [](double v) { return std::bit_cast<uint64_t>(v); };
  std::string all = absl::StrCat("shoal config 1 ", model_type);
  for (const int64_t v : {hidden,
                          vocab,
                          max_positions,
                          layers,
                          dense_layers,
                          mtp_layers,
                          bos_id,
                          eos_id,
                          heads,
                          q_lora_rank,
                          kv_lora_rank,
                          nope_dim,
                          rope_dim,
                          v_dim,
                          dense_ffn,
                          expert_ffn,
                          shared_experts,
                          int32_t{gate.experts},
                          int32_t{gate.top_k},
                          int32_t{gate.groups},
                          int32_t{gate.top_groups},
                          int32_t{gate.group_score_terms},
                          int32_t{gate.normalize},
                          static_cast<int32_t>(gate.score),
                          int32_t{gate_bias},
                          int32_t{fp8},
                          int32_t{yarn.has_value()}}) {
    absl::StrAppend(&all, " ", v);
  }
  absl::StrAppend(&all, " ", bits(rms_eps), " ", bits(rope_theta), " ", bits(gate.scale));
  if (yarn.has_value()) {
    absl::StrAppend(&all, " ", yarn->original_max_positions);
    for (const double v :
         {yarn->factor, yarn->beta_fast, yarn->beta_slow, yarn->mscale, yarn->mscale_all_dim}) {
      absl::StrAppend(&all, " ", bits(v));
    }
  }
  return HexOf(Sha256Of(all));
}

}  // namespace shoal
