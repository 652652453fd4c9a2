#include "runtime/model/testing/random_checkpoint.h"

#include <cstddef>
#include <cstring>
#include <map>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "runtime/base/status_macros.h"
#include "runtime/model/config.h"
#include "runtime/model/random_weights.h"
#include "runtime/model/tensor_table.h"
#include "runtime/weights/checkpoint.h"
#include "runtime/weights/checkpoint_writer.h"
#include "runtime/weights/file.h"
#include "runtime/weights/quantize.h"

namespace shoal {
namespace {

using nlohmann::json;

template <typename T>
std::vector<std::byte> BytesOf(const std::vector<T>& values) {
  std::vector<std::byte> bytes(values.size() * sizeof(T));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

std::vector<float> Floats(const std::vector<BF16>& values) {
  std::vector<float> out;
  for (const BF16 v : values) out.push_back(v.ToFloat());
  return out;
}

// The tensor's bytes as a checkpoint holds them.
std::vector<std::byte> StoredBytes(const TensorSpec& spec,
                                   const std::map<std::string, const TensorSpec*>& by_name,
                                   uint64_t seed) {
  if (spec.name.size() > kScaleSuffix.size() && absl::EndsWith(spec.name, kScaleSuffix)) {
    const TensorSpec& matrix =
        *by_name.at(spec.name.substr(0, spec.name.size() - kScaleSuffix.size()));
    return BytesOf(
        QuantizeFp8(RandomValues(matrix, seed), matrix.shape[0], matrix.shape[1]).scales);
  }
  const std::vector<BF16> values = RandomValues(spec, seed);
  switch (spec.dtypes.front()) {
    case DType::kF8E4M3:
      return BytesOf(QuantizeFp8(values, spec.shape[0], spec.shape[1]).data);
    case DType::kF32:
      return BytesOf(Floats(values));
    default:
      return BytesOf(values);
  }
}

}  // namespace

json TinyV3Config() {
  return {
      {"architectures", {"DeepseekV3ForCausalLM"}},
      {"model_type", "deepseek_v3"},
      {"hidden_size", 72},
      {"vocab_size", 131},
      {"max_position_embeddings", 512},
      {"num_hidden_layers", 3},
      {"first_k_dense_replace", 1},
      {"num_nextn_predict_layers", 1},
      {"rms_norm_eps", 1e-6},
      {"bos_token_id", 0},
      {"eos_token_id", 1},
      {"num_attention_heads", 3},
      {"num_key_value_heads", 3},
      {"q_lora_rank", 40},
      {"kv_lora_rank", 48},
      {"qk_nope_head_dim", 24},
      {"qk_rope_head_dim", 16},
      {"v_head_dim", 20},
      {"rope_theta", 10000.0},
      {"rope_scaling",
       {{"type", "yarn"},
        {"factor", 4.0},
        {"original_max_position_embeddings", 128},
        {"beta_fast", 32},
        {"beta_slow", 1},
        {"mscale", 1.0},
        {"mscale_all_dim", 1.0}}},
      {"intermediate_size", 100},
      {"moe_intermediate_size", 36},
      {"n_routed_experts", 16},
      {"n_shared_experts", 1},
      {"num_experts_per_tok", 4},
      {"n_group", 4},
      {"topk_group", 2},
      {"topk_method", "noaux_tc"},
      {"scoring_func", "sigmoid"},
      {"norm_topk_prob", true},
      {"routed_scaling_factor", 2.5},
      {"hidden_act", "silu"},
      {"attention_bias", false},
      {"tie_word_embeddings", false},
      {"torch_dtype", "bfloat16"},
  };
}

json TinyV2Config() {
  json config = TinyV3Config();
  config["model_type"] = "deepseek_v2";
  config["architectures"] = {"DeepseekV2ForCausalLM"};
  config["q_lora_rank"] = nullptr;
  config["topk_method"] = "greedy";
  config["scoring_func"] = "softmax";
  config["norm_topk_prob"] = false;
  config["routed_scaling_factor"] = 1.0;
  config["n_group"] = config["topk_group"] = 1;
  config["n_shared_experts"] = 2;
  config["rope_scaling"]["mscale"] = config["rope_scaling"]["mscale_all_dim"] = 0.707;
  config.erase("num_nextn_predict_layers");
  return config;
}

json WithFp8(json config) {
  config["quantization_config"] = {{"quant_method", "fp8"},
                                   {"fmt", "e4m3"},
                                   {"activation_scheme", "dynamic"},
                                   {"weight_block_size", {128, 128}}};
  return config;
}

std::vector<BF16> RandomValues(const TensorSpec& spec, uint64_t seed) {
  const RandomWords words(spec.name, seed);
  const auto [amplitude, offset] = RandomRangeOf(spec);
  std::vector<BF16> values(static_cast<size_t>(spec.elements()));
  for (size_t i = 0; i < values.size(); ++i) {
    const auto bits = static_cast<int32_t>(words[i] >> 40);  // 24
    const float u = static_cast<float>(bits - (1 << 23)) * 0x1p-23f;
    values[i] = BF16::FromFloat(offset + amplitude * u);
  }
  return values;
}

absl::Status WriteRandomCheckpoint(const json& config, const std::string& folder,
                                   const RandomCheckpointOptions& options) {
  const std::string text = config.dump(2) + "\n";
  ASSIGN_OR_RETURN(const DeepSeekConfig parsed, ParseDeepSeekConfig(text));
  RETURN_IF_ERROR(
      WriteFileAtomically(absl::StrCat(folder, "/config.json"),
                          {reinterpret_cast<const std::byte*>(text.data()), text.size()}));
  const TensorTable table = DeepSeekTensorTable(parsed);
  std::map<std::string, const TensorSpec*> by_name;
  std::vector<std::vector<CheckpointWriter::NewTensor>> shards(static_cast<size_t>(options.shards));
  for (size_t i = 0; i < table.size(); ++i) {
    by_name[table[i].name] = &table[i];
    // In order, as real checkpoints are cut.
    shards[i * shards.size() / table.size()].push_back(
        {table[i].name, table[i].dtypes.front(), table[i].shape});
  }
  CheckpointWriter writer(folder, {.digests = options.digests});
  for (size_t s = 0; s < shards.size(); ++s) {
    const std::string file = shards.size() == 1 ? std::string(kSingleFile)
                                                : absl::StrFormat("model-%05d-of-%05d.safetensors",
                                                                  s + 1, shards.size());
    RETURN_IF_ERROR(writer.WriteShard(
        file, std::move(shards[s]),
        [&](const CheckpointWriter::NewTensor& t) -> absl::StatusOr<std::vector<std::byte>> {
          return StoredBytes(*by_name.at(t.name), by_name, options.seed);
        }));
  }
  return writer.Finish();
}

}  // namespace shoal
