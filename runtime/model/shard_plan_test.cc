#include "runtime/model/shard_plan.h"

#include <cstdint>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "gtest/gtest.h"

#include "runtime/model/config.h"
#include "runtime/model/tensor_table.h"
#include "runtime/moe/placement.h"
#include "runtime/tensor/dtype.h"
#include "runtime/weights/tensor_table.h"
#include "runtime/weights/weight_store.h"

namespace shoal {
namespace {

DeepSeekConfig Load(const std::string& name) {
  std::ifstream in("runtime/model/testdata/" + name);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  const auto config = ParseDeepSeekConfig(text);
  EXPECT_TRUE(config.ok()) << config.status();
  return *config;
}

class V3Plan : public ::testing::Test {
 protected:
  ShardPlan Plan(const GroupShape& group) const {
    const auto placement = PlaceEvenly(config_, group);
    EXPECT_TRUE(placement.ok()) << placement.status();
    return PlanShards(DeepSeekTensorTable(config_, group.mtp), *placement);
  }
  // Every rank reads the same number of bytes; this one.
  int64_t BytesOfEach(const ShardPlan& plan) const {
    for (const ShardPlan::Rank& rank : plan.ranks) EXPECT_EQ(rank, plan.ranks[0]);
    return plan.ranks[0].bytes();
  }

  const DeepSeekConfig config_ = Load("deepseek_v3_671b.json");
  const TensorTable table_ = DeepSeekTensorTable(config_);
};

// What is known of the published 163 shards: 91,991 tensors, 45,808 of them block scales; and an
// index whose metadata.total_size is 1,369,062,772,000, which is two bytes for every element
// whatever its dtype.
TEST_F(V3Plan, TableIsThePublishedCheckpointElementForElement) {
  int64_t elements = 0, scales = 0;
  for (const TensorSpec& spec : table_) {
    elements += spec.elements();
    scales += spec.dtypes.front() == DType::kF32 && spec.shape.size() == 2;
  }
  EXPECT_EQ(table_.size(), 91991u);
  EXPECT_EQ(scales, 45808);
  EXPECT_EQ(2 * elements, 1369062772000);
  EXPECT_EQ(Plan({.ranks = 16}).bytes, 688574839360);
}

TEST_F(V3Plan, Parameters) {
  EXPECT_EQ(ParameterCount(table_), 671026419200);                // 671.03 B
  EXPECT_EQ(ActiveParameterCount(table_, config_), 36624596992);  // 36.62 B
  EXPECT_EQ(CacheBytesPerPosition(config_, false), 70272);
}

TEST_F(V3Plan, BytesOfARank) {
  const ShardPlan ep16 = Plan({.ranks = 16});
  EXPECT_EQ(BytesOfEach(ep16), 59961471328);           // 59.96 GB
  EXPECT_EQ(ep16.ranks[0].routed_bytes, 40879276032);  // 40.88 GB
  EXPECT_EQ(ep16.slots_per_layer, 16);
  EXPECT_EQ(ep16.redundant_per_layer, 0);

  const ShardPlan ep128 = Plan({.ranks = 128, .ranks_per_node = 8});
  EXPECT_EQ(BytesOfEach(ep128), 24192104800);  // 24.19 GB
  EXPECT_EQ(ep128.slots_per_layer, 2);

  const ShardPlan ep16_redundant = Plan({.ranks = 16, .redundant_slots = 16});
  EXPECT_EQ(BytesOfEach(ep16_redundant), 62516426080);  // 62.5 GB
  EXPECT_EQ(ep16_redundant.slots_per_layer, 17);
  EXPECT_EQ(ep16_redundant.redundant_per_layer, 16);

  const ShardPlan ep128_redundant =
      Plan({.ranks = 128, .redundant_slots = 128, .ranks_per_node = 8});
  EXPECT_EQ(BytesOfEach(ep128_redundant), 26747059552);  // 26.7 GB
  EXPECT_EQ(ep128_redundant.slots_per_layer, 3);
}

// The module is one more MoE layer with its way in; its embedding and head are the main model's,
// which the checkpoint repeats.
TEST_F(V3Plan, MtpModule) {
  const ShardPlan without = Plan({.ranks = 16}), with = Plan({.ranks = 16, .mtp = true});
  EXPECT_EQ(with.bytes, without.bytes);
  EXPECT_EQ(with.unread_tensors, 2);
  EXPECT_EQ(with.unread_bytes, int64_t{2} * 2 * 129280 * 7168);
  EXPECT_EQ(with.ranks[0].routed_bytes, without.ranks[0].routed_bytes / 58 * 59);
  EXPECT_EQ(BytesOfEach(with),
            ShareBytes(DeepSeekTensorTable(config_, true),
                       ShareOf(*PlaceEvenly(config_, {.ranks = 16, .mtp = true}), 5)));
  EXPECT_EQ(CacheBytesPerPosition(config_, true), 70272 / 61 * 62);
}

// The plan counts by experts, loading decides by InShare: here tensor by tensor.
TEST_F(V3Plan, RanksTogetherReadTheCheckpointAndNothingElse) {
  for (const GroupShape& group :
       {GroupShape{.ranks = 16}, GroupShape{.ranks = 16, .redundant_slots = 16},
        GroupShape{.ranks = 128, .redundant_slots = 128, .ranks_per_node = 8}}) {
    const auto placement = PlaceEvenly(config_, group);
    ASSERT_TRUE(placement.ok()) << placement.status();
    const ShardPlan plan = PlanShards(table_, *placement);
    std::vector<int> readers(table_.size());
    for (int r = 0; r < group.ranks; ++r) {
      const WeightShare share = ShareOf(*placement, r);
      int64_t tensors = 0, bytes = 0;
      for (size_t i = 0; i < table_.size(); ++i) {
        if (!InShare(table_[i], share)) continue;
        ++readers[i];
        ++tensors;
        bytes += table_[i].elements() * static_cast<int64_t>(SizeOf(table_[i].dtypes.front()));
      }
      EXPECT_EQ(tensors, plan.ranks[r].tensors);
      EXPECT_EQ(bytes, plan.ranks[r].bytes());
    }
    int64_t unread = 0, routed = 0;
    for (size_t i = 0; i < table_.size(); ++i) {
      const TensorSpec& spec = table_[i];
      unread += readers[i] == 0;
      if (spec.use == TensorSpec::Use::kUnused) {
        EXPECT_EQ(readers[i], 0) << spec.name;
      } else if (spec.expert == TensorSpec::kEveryRank) {
        EXPECT_EQ(readers[i], group.ranks) << spec.name;
      } else {
        EXPECT_GE(readers[i], 1) << spec.name;
        routed += readers[i];
      }
    }
    EXPECT_EQ(unread, plan.unread_tensors);
    // A slot is three matrices with their scales.
    EXPECT_EQ(routed, int64_t{6} * config_.moe_layers() * group.ranks * plan.slots_per_layer);
  }
}

// Replicas are there so that a lost node takes no expert with it: none has two on one node.
TEST_F(V3Plan, ReplicasStandOnDifferentNodes) {
  const auto placement =
      PlaceEvenly(config_, {.ranks = 128, .redundant_slots = 128, .ranks_per_node = 8});
  ASSERT_TRUE(placement.ok());
  for (int layer = 0; layer < placement->layers(); ++layer) {
    for (int e = 0; e < placement->experts(); ++e) {
      std::map<int, int> on_node;
      for (const auto& slot : placement->ReplicasOf(layer, e)) ++on_node[slot.rank / 8];
      for (const auto& [node, count] : on_node) EXPECT_EQ(count, 1) << layer << " " << e;
    }
  }
}

TEST_F(V3Plan, Prints) {
  const std::string text = Plan({.ranks = 16, .redundant_slots = 16}).ToString();
  EXPECT_NE(text.find("ranks 0-15"), std::string::npos) << text;
  EXPECT_NE(text.find("62.52"), std::string::npos) << text;
  EXPECT_NE(text.find("688.57"), std::string::npos) << text;
}

TEST(ShardPlan, HeldBytesCountTheLoadTimeCasts) {
  const DeepSeekConfig config = Load("deepseek_v3_671b.json");
  const auto placement = PlaceEvenly(config, {.ranks = 16});
  ASSERT_TRUE(placement.ok());
  const ShardPlan plan = PlanShards(DeepSeekTensorTable(config), *placement);
  // kv_b_proj twice as wide, and vectors: 61 pairs of norms and their latents', the last norm, 58
  // gates of 256 centroids.
  const int64_t kv_b = int64_t{61} * 128 * 256 * 512;
  const int64_t vectors = 61 * (2 * 7168 + 1536 + 512) + 7168 + int64_t{58} * 256 * 7168;
  EXPECT_EQ(plan.ranks[3].held_bytes - plan.ranks[3].bytes(), kv_b + 2 * vectors);
}

TEST(ShardPlan, V2LiteInBf16) {
  const DeepSeekConfig config = Load("deepseek_v2_lite.json");
  const auto placement = PlaceEvenly(config, {.ranks = 1});
  ASSERT_TRUE(placement.ok());
  const ShardPlan plan = PlanShards(DeepSeekTensorTable(config), *placement);
  EXPECT_EQ(plan.bytes, 2 * int64_t{15706484224});
  EXPECT_EQ(plan.ranks[0].bytes(), plan.bytes);
  EXPECT_EQ(plan.unread_tensors, 0);
}

TEST(ShardPlan, RefusesWhatDoesNotDivide) {
  const DeepSeekConfig config = Load("deepseek_v3_671b.json");
  const auto refusal = [&](const GroupShape& group) {
    const absl::Status status = PlaceEvenly(config, group).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_EQ(refusal({.ranks = 24}),
            "256 experts and 0 redundant slots do not divide over 24 ranks");
  EXPECT_EQ(refusal({.ranks = 16, .redundant_slots = 8}),
            "256 experts and 8 redundant slots do not divide over 16 ranks");
  EXPECT_EQ(refusal({.ranks = 16, .ranks_per_node = 3}), "16 ranks do not divide over nodes of 3");
  EXPECT_EQ(refusal({.ranks = 0}), "a group of 0 ranks, 1 on a node, with 0 redundant slots");
  // No rank holds an expert twice.
  EXPECT_EQ(refusal({.ranks = 2, .redundant_slots = 512}),
            "placement: 384 slots on a rank for only 256 experts, and no rank holds one twice");
}

}  // namespace
}  // namespace shoal
