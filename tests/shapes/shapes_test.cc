// A DeepSeek-V3 layer at its true widths, with few experts and a small vocabulary so that it fits a
// test: loading, exchange and kernels at the sizes that they will meet.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "runtime/model/config.h"
#include "runtime/model/shard_plan.h"
#include "runtime/model/tensor_table.h"
#include "runtime/weights/testing/temp_folder.h"
#include "tests/shapes/thread_group.h"
#include "tests/shapes/workload.h"
#include "tools/checkpoint/random.h"

namespace shoal {
namespace {

// 7168 wide, 128 heads, one MoE layer with experts of 2048, FP8.
RandomCheckpointSpec V3Layer(const std::string& to) {
  std::ifstream in("runtime/model/testdata/deepseek_v3_671b.json");
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  const auto config = EditedConfig(text, "deepseek_v3_671b.json",
                                   {.layers = 1,
                                    .fields = {{"first_k_dense_replace", "0"},
                                               {"num_nextn_predict_layers", "0"},
                                               {"n_routed_experts", "16"},
                                               {"vocab_size", "1031"}}});
  EXPECT_TRUE(config.ok()) << config.status();
  RandomCheckpointSpec spec;
  spec.config_json = *config;
  spec.to = to;
  spec.seed = 3;
  spec.digests = false;  // as published
  return spec;
}

TEST(TrueSizes, V3Layer) {
  TempFolder folder;
  const std::string path = folder.File("v3_layer");
  const auto made = MakeRandomCheckpoint(V3Layer(path), nullptr);
  ASSERT_TRUE(made.ok()) << made.status();
  const auto config = ReadDeepSeekConfig(path);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->hidden, 7168);
  EXPECT_EQ(config->heads, 128);
  EXPECT_EQ(config->expert_ffn, 2048);

  // Prompts of 33 rows, and rows far into a sequence.
  const std::vector<Workload> workloads = {{2, 33, 0}, {3, 1, 200}};
  std::vector<GroupResult> results;
  for (const int ranks : {1, 4}) {
    auto result = RunThreadGroup(path, ranks, workloads);
    ASSERT_TRUE(result.ok()) << result.status();
    const auto placement = PlaceEvenly(*config, {.ranks = ranks});
    ASSERT_TRUE(placement.ok());
    const ShardPlan plan = PlanShards(DeepSeekTensorTable(*config), *placement);
    for (int r = 0; r < ranks; ++r) EXPECT_EQ(result->bytes_read[r], plan.ranks[r].bytes());
    results.push_back(*std::move(result));
  }
  for (const GroupResult& result : results) EXPECT_EQ(result.logits, results[0].logits);
  for (const auto& of_workload : results[0].logits) {
    std::vector<std::vector<float>> seen;
    for (const auto& [sequence, logits] : of_workload) {
      double squares = 0;
      for (const float v : logits) squares += double{v} * v;
      // The head has twice the unit variance; NaN and infinity fail as well.
      EXPECT_NEAR(std::sqrt(squares / static_cast<double>(logits.size())), 2, 0.3);
      EXPECT_EQ(std::count(seen.begin(), seen.end(), logits), 0);
      seen.push_back(logits);
    }
  }
}

}  // namespace
}  // namespace shoal
