// Law 1 for the MTP module: its logits, bit for bit, do not depend on the number of ranks, on where
// experts live, on batch mates or on how a sequence was cut; and it changes nothing of the main
// model's.

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

#include "runtime/device/cpu/cpu_device.h"
#include "runtime/device/cpu/isa.h"
#include "runtime/device/device.h"
#include "runtime/device/reference/reference_device.h"
#include "runtime/model/testing/random_checkpoint.h"
#include "runtime/moe/placement.h"
#include "runtime/weights/testing/temp_folder.h"
#include "tests/parity/rank_group.h"
#include "tests/parity/saboteurs.h"

namespace shoal {
namespace {

constexpr int kLength = 70, kVocab = 131;  // more than one attention tile

std::vector<TokenId> Ids(int sequence, int length) {
  std::vector<TokenId> ids;
  for (int i = 0; i < length; ++i) ids.push_back((i * i * 13 + i * 5 + 2 + sequence * 17) % kVocab);
  return ids;
}

std::unique_ptr<Device> Cpu(Isa isa, int threads) {
  auto device = NewCpuDevice({isa, threads});
  EXPECT_TRUE(device.ok()) << device.status();
  return *std::move(device);
}

class MtpLaw : public ::testing::TestWithParam<bool> {
 protected:
  // BF16 (false) or FP8 (true).
  void SetUp() override {
    const nlohmann::json config = GetParam() ? WithFp8(TinyV3Config()) : TinyV3Config();
    ASSERT_TRUE(WriteRandomCheckpoint(config, folder_.path(), {.seed = 9}).ok());
    expected_ = Drafts(Plan({InOnePass(0, kLength)}));
    ASSERT_EQ(expected_.size(), static_cast<size_t>(kLength - 1));
  }

  // Sequence 0 is the one that is compared; the others are company.
  GroupRun Plan(std::vector<RankSchedule> schedules) const {
    GroupRun run;
    run.folder = folder_.path();
    run.sequences = {Ids(0, kLength), Ids(1, 33), Ids(2, 65), Ids(3, 9)};
    run.schedules = std::move(schedules);
    run.device = [] { return Cpu(Isa::kBest, 1); };
    run.mtp = true;
    return run;
  }
  static LogitsAt Drafts(const GroupRun& run) {
    const auto logits = RunDrafts(run);
    EXPECT_TRUE(logits.ok()) << logits.status();
    return logits.ok() ? *logits : LogitsAt{};
  }
  // Positions of sequence 0 with other logits than on one rank in one pass.
  int Differences(const LogitsAt& logits) const {
    int count = 0;
    for (const auto& [place, values] : expected_) {
      const auto found = logits.find(place);
      count += found == logits.end() || found->second != values;
    }
    return count;
  }
  // REQUIRES: ranks > 1.
  static std::vector<RankSchedule> Spread(int ranks) {
    std::vector<RankSchedule> schedules(static_cast<size_t>(ranks));
    schedules[1] = InChunks(0, {40, 29, 1});
    schedules[0] = InChunks(1, {1, 32});
    if (ranks > 2) schedules[ranks - 1] = InOnePass(2, 65);
    return schedules;
  }

  TempFolder folder_;
  LogitsAt expected_;
};

TEST_P(MtpLaw, HoldsOverAnyNumberOfRanks) {
  for (const int ranks : {2, 4, 16}) {
    EXPECT_EQ(Differences(Drafts(Plan(Spread(ranks)))), 0) << ranks << " ranks";
  }
}

TEST_P(MtpLaw, HoldsWhereverExpertsLive) {
  // The module's experts are the placement's third layer, placed on their own.
  std::vector<int32_t> slots;
  for (int layer = 0; layer < 3; ++layer) {
    for (int i = 0; i < 21; ++i) slots.push_back((i * 5 + layer * 3) % 16);
  }
  const auto placement = ExpertPlacement::FromSlots(3, 16, 3, slots, 7);
  ASSERT_TRUE(placement.ok()) << placement.status();
  GroupRun run = Plan(Spread(3));
  run.placement = &*placement;
  EXPECT_EQ(Differences(Drafts(run)), 0);
}

TEST_P(MtpLaw, HoldsForAnyChunking) {
  for (const std::vector<int>& sizes :
       {std::vector<int>(kLength, 1), {1, 69}, {2, 61, 1, 1, 5}, {64, 6}}) {
    EXPECT_EQ(Differences(Drafts(Plan({InChunks(0, sizes)}))), 0) << sizes.size();
  }
}

TEST_P(MtpLaw, HoldsForAnyBatchMates) {
  EXPECT_EQ(Differences(Drafts(Plan({{{{1, 0, 33}, {0, 0, 70}, {2, 0, 65}, {3, 0, 9}}}}))), 0);
  RankSchedule schedule = {
      {{0, 0, 60}}, {{3, 0, 2}, {0, 60, 1}}, {{0, 61, 1}, {1, 0, 33}}, {{2, 0, 64}, {0, 62, 8}}};
  EXPECT_EQ(Differences(Drafts(Plan({schedule}))), 0);
}

TEST_P(MtpLaw, HoldsOverInstructionSetsAndThreads) {
  for (const Isa isa : SupportedIsas()) {
    GroupRun run = Plan({InChunks(0, {66, 3, 1})});
    run.device = [isa] { return Cpu(isa, 3); };
    EXPECT_EQ(Differences(Drafts(run)), 0) << IsaName(isa);
  }
}

TEST_P(MtpLaw, TheMainModelDoesNotNotice) {
  GroupRun run = Plan(Spread(4));
  const auto with = RunGroup(run);
  run.mtp = false;
  const auto without = RunGroup(run);
  ASSERT_TRUE(with.ok() && without.ok()) << with.status() << without.status();
  EXPECT_EQ(*with, *without);
}

TEST_P(MtpLaw, SaboteurCombiningByRankIsSeen) {
  GroupRun run = Plan({InOnePass(0, kLength)});
  run.device = NewReferenceDevice;  // the sharper eye for order: see bitwise_law_test
  expected_ = Drafts(run);
  run.schedules = Spread(4);
  EXPECT_EQ(Differences(Drafts(run)), 0);
  run.wrap_ops = CombineByRank;
  EXPECT_GT(Differences(Drafts(run)), kLength / 2);
}

INSTANTIATE_TEST_SUITE_P(Weights, MtpLaw, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "Fp8" : "Bf16"; });

}  // namespace
}  // namespace shoal
