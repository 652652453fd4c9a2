// The serving model on the reference device against the naive float64 form of the paper.
#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

#include "runtime/device/ops.h"
#include "runtime/device/reference/reference_device.h"
#include "runtime/model/model.h"
#include "runtime/model/testing/naive_deepseek.h"
#include "runtime/model/testing/random_checkpoint.h"
#include "runtime/weights/testing/temp_folder.h"
#include "tests/parity/rank_group.h"

namespace shoal {
namespace {

using nlohmann::json;

struct Variant {
  std::string name;
  json config;
};

json With(json config, const std::vector<std::pair<std::string, json>>& fields) {
  for (const auto& [name, value] : fields) config[name] = value;
  return config;
}

std::vector<Variant> Variants() {
  return {
      {"V3", TinyV3Config()},
      {"V3Fp8", WithFp8(TinyV3Config())},
      {"V3NoQueryRank", With(TinyV3Config(), {{"q_lora_rank", nullptr}})},
      {"V3NoYarn", With(TinyV3Config(), {{"rope_scaling", nullptr}})},
      // transformers, and so every golden, knows no mscale but 1 without mscale_all_dim.
      {"V3MscaleAlone", With(TinyV3Config(), {{"rope_scaling",
                                               {{"type", "yarn"},
                                                {"factor", 4.0},
                                                {"original_max_position_embeddings", 32},
                                                {"mscale", 0.5}}}})},
      {"V3OneGroup", With(TinyV3Config(), {{"n_group", 1}, {"topk_group", 1}})},
      {"V3TwoDense", With(TinyV3Config(), {{"first_k_dense_replace", 2},
                                           {"num_attention_heads", 5},
                                           {"num_key_value_heads", 5},
                                           {"n_shared_experts", 3}})},
      {"V3NoSharedExpert", With(TinyV3Config(), {{"n_shared_experts", 0}})},
      {"V3NoNorm", With(TinyV3Config(), {{"norm_topk_prob", false}, {"num_experts_per_tok", 1}})},
      {"V2Lite", TinyV2Config()},
      {"V2Grouped", With(TinyV2Config(), {{"topk_method", "group_limited_greedy"},
                                          {"n_group", 4},
                                          {"topk_group", 2},
                                          {"routed_scaling_factor", 16.0}})},
  };
}

class DeepSeekV3Test : public ::testing::TestWithParam<Variant> {};

std::vector<TokenId> Ids(int length, int vocab) {
  std::vector<TokenId> ids;
  for (int i = 0; i < length; ++i) ids.push_back((i * i * 13 + i * 5 + 2) % vocab);
  return ids;
}

TEST_P(DeepSeekV3Test, EqualsTheNaiveForm) {
  TempFolder folder;
  ASSERT_TRUE(WriteRandomCheckpoint(GetParam().config, folder.path(), {.seed = 5}).ok());
  const std::vector<TokenId> ids = Ids(70, 131);  // more than one attention tile

  GroupRun run{folder.path(), {ids}, {InChunks(0, {67, 1, 2})}, NewReferenceDevice};
  const auto logits = RunGroup(run);
  ASSERT_TRUE(logits.ok()) << logits.status();
  const auto naive = NaiveDeepSeek::Load(folder.path());
  ASSERT_TRUE(naive.ok()) << naive.status();
  const std::vector<std::vector<double>> expected = (*naive)->Logits(ids);

  double error = 0, norm = 0;
  for (int t = 0; t < 70; ++t) {
    const std::vector<float>& got = logits->at({0, t});
    ASSERT_EQ(got.size(), expected[t].size());
    for (size_t i = 0; i < got.size(); ++i) {
      error += std::pow(got[i] - expected[t][i], 2);
      norm += std::pow(expected[t][i], 2);
    }
  }
  const double relative = std::sqrt(error / norm);
  RecordProperty("relative_l2", std::to_string(relative));
  EXPECT_LT(relative, 2e-6);
  EXPECT_GT(norm, 1);
}

// What a pass tells of itself.
class Recorder : public PassObserver {
 public:
  void OnPhase(Phase phase) override { phases_.push_back(phase); }
  void OnExperts(int layer, absl::Span<const int32_t> slot_rows) override {
    layers_.push_back(layer);
    slots_.insert(slot_rows.size());
    for (const int32_t rows : slot_rows) rows_ += rows;
  }
  std::vector<Phase> phases_;
  std::vector<int> layers_;
  std::set<size_t> slots_;
  int64_t rows_ = 0;
};

TEST(PassObserverTest, SeesPhasesAndEveryPair) {
  using Phase = PassObserver::Phase;
  TempFolder folder;
  ASSERT_TRUE(WriteRandomCheckpoint(TinyV3Config(), folder.path(), {.seed = 5}).ok());
  Recorder recorders[2];
  GroupRun run{folder.path(), {Ids(11, 131)}, {InOnePass(0, 11), {}}, NewReferenceDevice};
  run.observer = [&](int rank) { return &recorders[rank]; };
  ASSERT_TRUE(RunGroup(run).ok());
  const std::vector<Phase> moe = {Phase::kAttend, Phase::kDispatch, Phase::kExperts,
                                  Phase::kCombine};
  std::vector<Phase> expected = {Phase::kAttend, Phase::kExperts};  // the dense layer
  for (int layer = 0; layer < 2; ++layer) expected.insert(expected.end(), moe.begin(), moe.end());
  expected.push_back(Phase::kHead);
  for (const Recorder& r : recorders) {
    EXPECT_EQ(r.phases_, expected);
    EXPECT_EQ(r.layers_, (std::vector<int>{0, 1}));
    EXPECT_EQ(r.slots_, std::set<size_t>{8});
    EXPECT_GT(r.rows_, 0) << "the rank with the empty batch works for the other";
  }
  EXPECT_EQ(recorders[0].rows_ + recorders[1].rows_, 2 * 11 * 4);
}

TEST(LogitRows, OnlyWantedRowsAreComputed) {
  TempFolder folder;
  ASSERT_TRUE(WriteRandomCheckpoint(TinyV3Config(), folder.path(), {.seed = 5}).ok());
  GroupRun run{
      folder.path(), {Ids(7, 131), Ids(3, 131)}, {{{{0, 0, 7}, {1, 0, 3}}}}, NewReferenceDevice};
  const auto all = RunGroup(run);
  run.last_row_only = true;
  const auto last = RunGroup(run);
  ASSERT_TRUE(all.ok() && last.ok());
  ASSERT_EQ(last->size(), 2u);
  EXPECT_EQ(last->at({0, 6}), all->at({0, 6}));
  EXPECT_EQ(last->at({1, 2}), all->at({1, 2}));
}

INSTANTIATE_TEST_SUITE_P(Configs, DeepSeekV3Test, ::testing::ValuesIn(Variants()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace shoal
