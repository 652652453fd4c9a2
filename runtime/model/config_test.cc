#include "runtime/model/config.h"

#include <fstream>
#include <set>
#include <string>

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

#include "runtime/model/testing/random_checkpoint.h"

namespace shoal {
namespace {

using nlohmann::json;

json Load(const std::string& name) {
  std::ifstream in("runtime/model/testdata/" + name);
  return json::parse(in);
}

std::string ErrorOf(const json& config) {
  const auto parsed = ParseDeepSeekConfig(config.dump());
  EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument) << config.dump();
  return std::string(parsed.status().message());
}

// The tiny V3 config with one field changed.
std::string ErrorWith(const std::string& pointer, const json& value) {
  json config = WithFp8(TinyV3Config());
  config[json::json_pointer(pointer)] = value;
  return ErrorOf(config);
}

TEST(DeepSeekConfig, ReadsThe671BConfig) {
  const auto c = ParseDeepSeekConfig(Load("deepseek_v3_671b.json").dump());
  ASSERT_TRUE(c.ok()) << c.status();
  EXPECT_EQ(c->hidden, 7168);
  EXPECT_EQ(c->layers, 61);
  EXPECT_EQ(c->moe_layers(), 58);
  EXPECT_EQ(c->mtp_layers, 1);
  EXPECT_EQ(c->heads, 128);
  EXPECT_EQ(c->q_lora_rank, 1536);
  EXPECT_EQ(c->kv_line(), 576);
  EXPECT_EQ(c->qk_dim(), 192);
  EXPECT_EQ(c->shared_ffn(), 2048);
  EXPECT_EQ(c->gate.experts, 256);
  EXPECT_EQ(c->gate.top_k, 8);
  EXPECT_EQ(c->gate.groups, 8);
  EXPECT_EQ(c->gate.top_groups, 4);
  EXPECT_EQ(c->gate.group_score_terms, 2);
  EXPECT_EQ(c->gate.score, GateScore::kSigmoid);
  EXPECT_TRUE(c->gate.normalize);
  EXPECT_EQ(c->gate.scale, 2.5f);
  EXPECT_TRUE(c->gate_bias);
  EXPECT_TRUE(c->fp8);
  ASSERT_TRUE(c->yarn.has_value());
  EXPECT_EQ(c->yarn->factor, 40);
  EXPECT_EQ(c->yarn->mscale_all_dim, 1);
  EXPECT_EQ(c->max_positions, 163840);
}

TEST(DeepSeekConfig, ReadsTheV2LiteConfig) {
  const auto c = ParseDeepSeekConfig(Load("deepseek_v2_lite.json").dump());
  ASSERT_TRUE(c.ok()) << c.status();
  EXPECT_EQ(c->q_lora_rank, 0);
  EXPECT_EQ(c->gate.score, GateScore::kSoftmax);
  EXPECT_EQ(c->gate.groups, 1);
  EXPECT_FALSE(c->gate.normalize);
  EXPECT_FALSE(c->gate_bias);
  EXPECT_FALSE(c->fp8);
  EXPECT_EQ(c->mtp_layers, 0);
  EXPECT_EQ(c->shared_ffn(), 2816);
}

TEST(DeepSeekConfig, GroupLimitedGreedyTakesTheBestOfAGroup) {
  json config = TinyV2Config();
  config["topk_method"] = "group_limited_greedy";
  config["n_group"] = 4;
  config["topk_group"] = 2;
  const auto c = ParseDeepSeekConfig(config.dump());
  ASSERT_TRUE(c.ok()) << c.status();
  EXPECT_EQ(c->gate.groups, 4);
  EXPECT_EQ(c->gate.group_score_terms, 1);
}

TEST(DeepSeekConfig, EveryStructuralFieldIsNeeded) {
  for (const char* field :
       {"model_type", "hidden_size", "vocab_size", "max_position_embeddings", "num_hidden_layers",
        "first_k_dense_replace", "rms_norm_eps", "num_attention_heads", "kv_lora_rank",
        "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim", "rope_theta", "intermediate_size",
        "moe_intermediate_size", "n_shared_experts", "n_routed_experts", "num_experts_per_tok"}) {
    json config = TinyV3Config();
    config.erase(field);
    EXPECT_EQ(ErrorOf(config).find(std::string("config.json: ") + field + " is absent, "), 0u)
        << ErrorOf(config);
  }
}

TEST(DeepSeekConfig, UnknownFieldsAreRefused) {
  EXPECT_EQ(ErrorWith("/sliding_window", 512),
            "config.json: sliding_window is 512, but no such field is known: what it asks for is "
            "not done");
  EXPECT_NE(ErrorWith("/rope_scaling/truncate", true).find("rope_scaling.truncate is true"),
            std::string::npos);
  EXPECT_NE(ErrorWith("/quantization_config/ignored_layers", json::array())
                .find("quantization_config.ignored_layers is []"),
            std::string::npos);
  json duplicate = TinyV3Config();
  const std::string text = "{\"hidden_size\":1," + duplicate.dump().substr(1);
  EXPECT_EQ(ParseDeepSeekConfig(text).status().message(),
            "config.json: key \"hidden_size\" stands twice in one object");
}

TEST(DeepSeekConfig, UnsupportedValuesAreRefusedByName) {
  const std::vector<std::pair<std::string, json>> cases = {
      {"/model_type", "qwen2"},
      {"/hidden_size", 0},
      {"/hidden_size", "72"},
      {"/hidden_size", 72.5},
      {"/hidden_size", 1LL << 40},
      {"/rms_norm_eps", -1},
      {"/num_key_value_heads", 1},
      {"/qk_rope_head_dim", 15},
      {"/first_k_dense_replace", 3},
      {"/bos_token_id", 131},
      {"/eos_token_id", json::array({1, 2})},
      {"/attention_bias", true},
      {"/tie_word_embeddings", true},
      {"/hidden_act", "gelu"},
      {"/moe_layer_freq", 2},
      {"/scoring_func", "softmax"},
      {"/scoring_func", "relu"},
      {"/topk_method", "greedy"},
      {"/topk_method", "best"},
      {"/n_group", 3},
      {"/n_group", 16},
      {"/topk_group", 5},
      {"/num_experts_per_tok", 9},
      {"/n_shared_experts", nullptr},
      {"/rope_scaling", json::array()},
      {"/rope_scaling/type", "linear"},
      {"/rope_scaling/rope_type", "llama3"},
      {"/rope_scaling/factor", 0.5},
      {"/rope_scaling/beta_slow", 33},
      {"/quantization_config/quant_method", "gptq"},
      {"/quantization_config/fmt", "e5m2"},
      {"/quantization_config/weight_block_size", json::array({64, 64})},
      {"/quantization_config/weight_block_size", nullptr},
      {"/quantization_config/activation_scheme", "static"},
      {"/pretraining_tp", 2},
      {"/head_dim", 40},
      {"/rope_interleave", false},
  };
  for (const auto& [pointer, value] : cases) {
    std::string field = pointer.substr(1);
    if (const size_t slash = field.find('/'); slash != std::string::npos) field[slash] = '.';
    const std::string message = ErrorWith(pointer, value);
    EXPECT_NE(message.find(field), std::string::npos) << message;
    EXPECT_NE(message.find(value.is_null() ? "null" : value.dump()), std::string::npos) << message;
  }
}

TEST(DeepSeekConfig, ContradictionsNameBothValues) {
  EXPECT_EQ(ErrorWith("/n_group", 3),
            "config.json: n_group is 3, which does not divide n_routed_experts 16");
  EXPECT_EQ(ErrorWith("/topk_group", 5), "config.json: topk_group is 5, but n_group is 4");
  EXPECT_EQ(ErrorWith("/num_experts_per_tok", 9),
            "config.json: num_experts_per_tok is 9, but the best 2 groups hold 8 experts");
  EXPECT_EQ(ErrorWith("/eos_token_id", 131),
            "config.json: eos_token_id is 131, but vocab_size is 131");
  json config = TinyV3Config();
  config["qk_rope_head_dim"] = 1024;
  config["max_position_embeddings"] = 1 << 20;
  EXPECT_EQ(
      ErrorOf(config),
      "config.json: qk_rope_head_dim is 1024, which for max_position_embeddings 1048576 takes "
      "a rotation table of more than 268435456 numbers");
  config = TinyV2Config();
  config["norm_topk_prob"] = true;
  config["routed_scaling_factor"] = 16.0;
  EXPECT_NE(ErrorOf(config).find("norm_topk_prob is true, but routed_scaling_factor is 16"),
            std::string::npos);
}

// A file of a kilobyte must not ask for a tensor table of gigabytes, nor for sizes whose sum
// overflows.
TEST(DeepSeekConfig, SizesAreBoundedTogether) {
  json config = TinyV3Config();
  config["num_hidden_layers"] = 1024;
  config["n_routed_experts"] = 4096;
  EXPECT_NE(
      ErrorOf(config).find("n_routed_experts is 4096, which in 1024 MoE layers makes 4194304, "
                           "more than 131072"),
      std::string::npos)
      << ErrorOf(config);
  EXPECT_NE(ErrorWith("/num_attention_heads", 4097).find("an integer from 1 to 4096"),
            std::string::npos);
  EXPECT_NE(ErrorWith("/v_head_dim", 16385).find("an integer from 1 to 16384"), std::string::npos);
}

TEST(DeepSeekConfig, WholeNumbersAreWrittenAsSuch) {
  EXPECT_NE(ErrorWith("/pretraining_tp", 1.0).find("pretraining_tp is 1.0, but only 1"),
            std::string::npos);
  EXPECT_NE(ErrorWith("/hidden_size", 72.0).find("hidden_size is 72.0, but must be an integer"),
            std::string::npos);
  const json blocks = json::array({128.0, 128});
  EXPECT_NE(ErrorWith("/quantization_config/weight_block_size", blocks).find("is [128.0,128]"),
            std::string::npos);
}

TEST(DeepSeekConfig, WhatIsQuotedIsOneShortLine) {
  EXPECT_EQ(
      ErrorWith("/a\nERROR", 1),
      "config.json: a\\nERROR is 1, but no such field is known: what it asks for is not done");
  EXPECT_LT(ErrorWith("/model_type", std::string(1 << 19, 'x')).size(), 300u);
}

TEST(DeepSeekConfig, DigestSeesEveryParsedFieldAndNoOther) {
  const json base = WithFp8(TinyV3Config());
  const auto digest = [](const json& config) {
    const auto parsed = ParseDeepSeekConfig(config.dump());
    EXPECT_TRUE(parsed.ok()) << parsed.status();
    return parsed.ok() ? parsed->Digest() : "";
  };
  std::set<std::string> digests = {digest(base)};
  const std::vector<std::pair<std::string, json>> changes = {
      {"/hidden_size", 73},
      {"/vocab_size", 132},
      {"/max_position_embeddings", 513},
      {"/num_hidden_layers", 4},
      {"/first_k_dense_replace", 2},
      {"/num_nextn_predict_layers", 0},
      {"/rms_norm_eps", 1e-5},
      {"/bos_token_id", 2},
      {"/eos_token_id", 3},
      {"/q_lora_rank", nullptr},
      {"/kv_lora_rank", 49},
      {"/qk_nope_head_dim", 25},
      {"/qk_rope_head_dim", 18},
      {"/v_head_dim", 21},
      {"/rope_theta", 10001},
      {"/rope_scaling", nullptr},
      {"/rope_scaling/factor", 5},
      {"/rope_scaling/original_max_position_embeddings", 129},
      {"/rope_scaling/beta_fast", 33},
      {"/rope_scaling/beta_slow", 2},
      {"/rope_scaling/mscale", 0.9},
      {"/rope_scaling/mscale_all_dim", 0.9},
      {"/intermediate_size", 101},
      {"/moe_intermediate_size", 37},
      {"/n_routed_experts", 20},
      {"/n_shared_experts", 2},
      {"/num_experts_per_tok", 5},
      {"/n_group", 2},
      {"/topk_group", 3},
      {"/norm_topk_prob", false},
      {"/routed_scaling_factor", 2.0},
      {"/quantization_config", nullptr},
  };
  for (const auto& [pointer, value] : changes) {
    json config = base;
    config[json::json_pointer(pointer)] = value;
    EXPECT_TRUE(digests.insert(digest(config)).second) << pointer;
  }
  json same = base;
  same["torch_dtype"] = "float32";
  same["use_cache"] = false;
  EXPECT_EQ(digest(same), digest(base));
}

}  // namespace
}  // namespace shoal
