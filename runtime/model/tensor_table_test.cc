#include "runtime/model/tensor_table.h"

#include <cstdint>
#include <fstream>
#include <set>
#include <string>

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

#include "runtime/model/config.h"
#include "runtime/model/testing/random_checkpoint.h"
#include "runtime/moe/placement.h"

namespace shoal {
namespace {

DeepSeekConfig Load(const std::string& name) {
  std::ifstream in("runtime/model/testdata/" + name);
  const auto config = ParseDeepSeekConfig(nlohmann::json::parse(in).dump());
  EXPECT_TRUE(config.ok()) << config.status();
  return *config;
}

int64_t BytesOfRank(const DeepSeekConfig& config, int ranks, int rank) {
  const auto placement =
      ExpertPlacement::Contiguous(config.moe_layers(), config.gate.experts, ranks);
  EXPECT_TRUE(placement.ok());
  return ShareBytes(DeepSeekTensorTable(config), ShareOf(*placement, rank));
}

const TensorSpec* Find(const TensorTable& table, const std::string& name) {
  for (const TensorSpec& spec : table) {
    if (spec.name == name) return &spec;
  }
  return nullptr;
}

TEST(TensorTable, V3HasThePublishedParameterCount) {
  const TensorTable table = DeepSeekTensorTable(Load("deepseek_v3_671b.json"));
  // "671B": everything but the MTP module.
  EXPECT_EQ(ParameterCount(table), 671026419200);
}

TEST(TensorTable, V2LiteHasThePublishedParameterCount) {
  EXPECT_EQ(ParameterCount(DeepSeekTensorTable(Load("deepseek_v2_lite.json"))), 15706484224);
}

// What a rank reads of the FP8 checkpoint: attention, shared experts, dense layers, embedding, head
// and norms, which all ranks hold, and its routed experts; block scales included, the MTP module
// not.
TEST(TensorTable, V3BytesOfARank) {
  const DeepSeekConfig config = Load("deepseek_v3_671b.json");
  EXPECT_EQ(BytesOfRank(config, 16, 0), 59961471328);
  EXPECT_EQ(BytesOfRank(config, 16, 15), 59961471328);
  EXPECT_EQ(BytesOfRank(config, 128, 77), 24192104800);
  EXPECT_EQ(BytesOfRank(config, 8, 3), 100840747360);
}

TEST(TensorTable, NamesAreTheCheckpoints) {
  const DeepSeekConfig config = Load("deepseek_v3_671b.json");
  const TensorTable table = DeepSeekTensorTable(config);
  std::set<std::string> names;
  for (const TensorSpec& spec : table) EXPECT_TRUE(names.insert(spec.name).second) << spec.name;

  const TensorSpec* q_b = Find(table, "model.layers.0.self_attn.q_b_proj.weight");
  ASSERT_NE(q_b, nullptr);
  EXPECT_EQ(q_b->shape, (std::vector<int64_t>{24576, 1536}));
  EXPECT_EQ(q_b->dtypes, std::vector<DType>{DType::kF8E4M3});
  const TensorSpec* scale =
      Find(table, "model.layers.0.self_attn.kv_a_proj_with_mqa.weight_scale_inv");
  ASSERT_NE(scale, nullptr);
  EXPECT_EQ(scale->shape, (std::vector<int64_t>{5, 56}));  // 576 rows are four and a half blocks
  const TensorSpec* expert = Find(table, "model.layers.60.mlp.experts.255.down_proj.weight");
  ASSERT_NE(expert, nullptr);
  EXPECT_EQ(expert->moe_layer, 57);
  EXPECT_EQ(expert->expert, 255);
  EXPECT_EQ(expert->shape, (std::vector<int64_t>{7168, 2048}));
  const TensorSpec* bias = Find(table, "model.layers.3.mlp.gate.e_score_correction_bias");
  ASSERT_NE(bias, nullptr);
  EXPECT_EQ(bias->dtypes.front(), DType::kF32);
  EXPECT_EQ(Find(table, "model.layers.2.mlp.gate.weight"), nullptr);
  for (const char* name :
       {"eh_proj.weight", "enorm.weight", "hnorm.weight", "embed_tokens.weight",
        "shared_head.norm.weight", "shared_head.head.weight", "mlp.experts.0.gate_proj.weight"}) {
    const TensorSpec* spec = Find(table, std::string("model.layers.61.") + name);
    ASSERT_NE(spec, nullptr) << name;
    EXPECT_EQ(spec->use, TensorSpec::Use::kUnused);
  }
  // Never quantized.
  for (const char* name : {"model.embed_tokens.weight", "lm_head.weight", "model.norm.weight",
                           "model.layers.3.mlp.gate.weight", "model.layers.61.eh_proj.weight"}) {
    EXPECT_NE(Find(table, name), nullptr) << name;
    EXPECT_EQ(Find(table, ScaleName(name)), nullptr) << name;
  }
}

// The module is one more MoE layer with eh_proj and three norms; its embedding and head are copies.
TEST(TensorTable, TheMtpModuleOnDemand) {
  const DeepSeekConfig config = Load("deepseek_v3_671b.json");
  const TensorTable without = DeepSeekTensorTable(config), with = DeepSeekTensorTable(config, true);
  ASSERT_EQ(with.size(), without.size());  // the same set of tensors
  int64_t moe_layer = 0;
  for (const TensorSpec& spec : with) {
    const bool counts = spec.name.rfind("model.layers.60.", 0) == 0;
    if (counts && spec.use != TensorSpec::Use::kScale) moe_layer += spec.elements();
  }
  EXPECT_EQ(ParameterCount(with) - ParameterCount(without),
            moe_layer + int64_t{2} * 7168 * 7168 + 3 * 7168);
  const TensorSpec* expert = Find(with, "model.layers.61.mlp.experts.255.down_proj.weight");
  ASSERT_NE(expert, nullptr);
  EXPECT_EQ(PlacedLayers(config, true), 59);
  EXPECT_EQ(expert->moe_layer, 58);
  EXPECT_EQ(expert->use, TensorSpec::Use::kMatrix);
  EXPECT_EQ(Find(with, "model.layers.61.embed_tokens.weight")->copy_of,
            "model.embed_tokens.weight");
  EXPECT_EQ(Find(with, "model.layers.61.shared_head.head.weight")->copy_of, "lm_head.weight");
  EXPECT_EQ(Find(without, "model.layers.61.embed_tokens.weight")->copy_of, "");
}

TEST(TensorTable, SharesOfAGroupAreAPartition) {
  const auto config = ParseDeepSeekConfig(WithFp8(TinyV3Config()).dump());
  ASSERT_TRUE(config.ok()) << config.status();
  const TensorTable table = DeepSeekTensorTable(*config);
  const auto placement = ExpertPlacement::Contiguous(config->moe_layers(), 16, 4);
  ASSERT_TRUE(placement.ok());
  for (const TensorSpec& spec : table) {
    int holders = 0;
    for (int rank = 0; rank < 4; ++rank) holders += InShare(spec, ShareOf(*placement, rank));
    const int expected = spec.use == TensorSpec::Use::kUnused    ? 0
                         : spec.expert == TensorSpec::kEveryRank ? 4
                                                                 : 1;
    EXPECT_EQ(holders, expected) << spec.name;
  }
}

}  // namespace
}  // namespace shoal
