// Law 1: the logits of a sequence, bit for bit, do not depend on the number of ranks, on where
// experts live, on batch mates, on how the prompt was cut, or on the CPU type.  And its saboteurs:
// what breaks it must be seen.

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

#include "runtime/device/cpu/cpu_device.h"
#include "runtime/device/cpu/isa.h"
#include "runtime/device/device.h"
#include "runtime/device/ops.h"
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

class BitwiseLaw : public ::testing::TestWithParam<bool> {
 protected:
  // One checkpoint for all tests of a form: BF16 (false) or FP8 (true).
  void SetUp() override {
    const nlohmann::json config = GetParam() ? WithFp8(TinyV3Config()) : TinyV3Config();
    ASSERT_TRUE(WriteRandomCheckpoint(config, folder_.path(), {.seed = 9}).ok());
    expected_ = Run({InOnePass(0, kLength)});
    ASSERT_EQ(expected_.size(), static_cast<size_t>(kLength));
  }

  // Sequence 0 is the one that is compared; the others are company.
  GroupRun Plan(std::vector<RankSchedule> schedules) const {
    GroupRun run;
    run.folder = folder_.path();
    run.sequences = {Ids(0, kLength), Ids(1, 33), Ids(2, 65), Ids(3, 9)};
    run.schedules = std::move(schedules);
    run.device = [] { return Cpu(Isa::kBest, 1); };
    return run;
  }
  LogitsAt Run(std::vector<RankSchedule> schedules) const {
    return Run(Plan(std::move(schedules)));
  }
  static LogitsAt Run(const GroupRun& run) {
    const auto logits = RunGroup(run);
    EXPECT_TRUE(logits.ok()) << logits.status();
    return logits.ok() ? *logits : LogitsAt{};
  }
  // How many positions of sequence 0 have other logits than on one rank in one pass.
  int Differences(const LogitsAt& logits) const {
    int count = 0;
    for (const auto& [place, values] : expected_) {
      const auto found = logits.find(place);
      count += found == logits.end() || found->second != values;
    }
    return count;
  }
  // Sequences on the first two ranks and the last; the others bring empty batches.  REQUIRES: ranks
  // > 1.
  std::vector<RankSchedule> Spread(int ranks) const {
    std::vector<RankSchedule> schedules(static_cast<size_t>(ranks));
    // Not on rank 0, for which the order of ranks is that of experts.
    schedules[1] = InChunks(0, {40, 29, 1});
    schedules[0] = InChunks(1, {1, 32});
    if (ranks > 2) schedules[ranks - 1] = InOnePass(2, 65);
    return schedules;
  }

  TempFolder folder_;
  LogitsAt expected_;
};

TEST_P(BitwiseLaw, HoldsOverAnyNumberOfRanks) {
  for (const int ranks : {2, 4, 8, 16}) {
    EXPECT_EQ(Differences(Run(Spread(ranks))), 0) << ranks << " ranks";
  }
}

TEST_P(BitwiseLaw, HoldsWhereverExpertsLive) {
  // Two MoE layers on three ranks with seven slots each: replicas, in no order.
  std::vector<int32_t> slots;
  for (int layer = 0; layer < 2; ++layer) {
    for (int i = 0; i < 21; ++i) slots.push_back((i * 5 + layer * 3) % 16);
  }
  const auto placement = ExpertPlacement::FromSlots(2, 16, 3, slots, 7);
  ASSERT_TRUE(placement.ok()) << placement.status();
  GroupRun run = Plan(Spread(3));
  run.placement = &*placement;
  EXPECT_EQ(Differences(Run(run)), 0);
}

TEST_P(BitwiseLaw, PrefillIsDecode) {
  EXPECT_EQ(Differences(Run({InChunks(0, std::vector<int>(kLength, 1))})), 0);
}

TEST_P(BitwiseLaw, HoldsForAnyChunking) {
  for (const std::vector<int>& sizes :
       {std::vector<int>{1, 69}, {63, 2, 5}, {64, 6}, {17, 17, 17, 17, 2}}) {
    EXPECT_EQ(Differences(Run({InChunks(0, sizes)})), 0) << sizes.front();
  }
}

TEST_P(BitwiseLaw, HoldsForAnyBatchMates) {
  EXPECT_EQ(Differences(Run({{{{1, 0, 33}, {0, 0, 70}, {2, 0, 65}, {3, 0, 9}}}})), 0);
  // Mates that come and go while it decodes.
  RankSchedule schedule = {
      {{0, 0, 60}}, {{3, 0, 2}, {0, 60, 1}}, {{0, 61, 1}, {1, 0, 33}}, {{2, 0, 64}, {0, 62, 7}}};
  schedule.push_back({{0, 69, 1}, {2, 64, 1}, {3, 2, 7}});
  EXPECT_EQ(Differences(Run({schedule})), 0);
}

TEST_P(BitwiseLaw, HoldsOverInstructionSetsAndThreads) {
  for (const Isa isa : SupportedIsas()) {
    for (const int threads : {1, 3}) {
      GroupRun run = Plan({InChunks(0, {66, 3, 1})});
      run.device = [isa, threads] { return Cpu(isa, threads); };
      EXPECT_EQ(Differences(Run(run)), 0) << IsaName(isa) << ", " << threads << " threads";
    }
  }
}

// Ranks of a group may run on different CPU types.
TEST_P(BitwiseLaw, HoldsInAGroupOfDifferentCpus) {
  GroupRun run = Plan(Spread(4));
  int made = 0;
  run.device = [&made] { return Cpu(made++ % 2 == 0 ? Isa::kPortable : Isa::kBest, 1); };
  EXPECT_EQ(Differences(Run(run)), 0);
}

// With float32 activations: a sum in another order differs in its last bit, which the next rounding
// to bf16 hides from most logits.  It is the sharper eye for everything about order, so the law is
// held on it as well.
TEST_P(BitwiseLaw, SaboteurCombiningByRankIsSeen) {
  GroupRun run = Plan({InOnePass(0, kLength)});
  run.device = NewReferenceDevice;
  expected_ = Run(run);
  run.schedules = Spread(4);
  EXPECT_EQ(Differences(Run(run)), 0);
  run.wrap_ops = CombineByRank;
  EXPECT_GT(Differences(Run(run)), kLength / 2);
}

TEST_P(BitwiseLaw, SaboteurCastingAfterDispatchIsSeen) {
  GroupRun run = Plan(Spread(4));
  run.wrap_exchange = CastAfterDispatch;
  EXPECT_GT(Differences(Run(run)), 0);
}

// The saboteurs are the faults they claim to be: on one rank there is nothing to get wrong.
TEST_P(BitwiseLaw, SaboteursNeedASecondRank) {
  GroupRun run = Plan({InOnePass(0, kLength)});
  run.wrap_ops = CombineByRank;
  run.wrap_exchange = CastAfterDispatch;
  EXPECT_EQ(Differences(Run(run)), 0);
}

INSTANTIATE_TEST_SUITE_P(Weights, BitwiseLaw, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "Fp8" : "Bf16"; });

}  // namespace
}  // namespace shoal
