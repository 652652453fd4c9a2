#include "tests/parity/choice_replay.h"

#include <limits>
#include <vector>

#include "gtest/gtest.h"

#include "runtime/device/ops.h"
#include "runtime/device/reference/reference_device.h"
#include "runtime/weights/testing/temp_folder.h"
#include "tests/parity/golden_case.h"
#include "tests/parity/model_saboteurs.h"

namespace shoal {
namespace {

// By hand: two groups of two, one open, one expert of a row chosen by (0.5, 0.3 | 0.4, 0.38).
TEST(Shortfall, IsWhatScoresWouldHaveToMove) {
  const GateConfig two_terms{.experts = 4, .top_k = 1, .groups = 2, .top_groups = 1};
  const std::vector<double> biased = {0.5, 0.3, 0.4, 0.38};
  // Groups 0.8 and 0.78: expert 0 is right; expert 1 stands 0.2 behind it, in parts of 0.5.
  EXPECT_DOUBLE_EQ(Shortfall(two_terms, biased, {0}), 0);
  EXPECT_NEAR(Shortfall(two_terms, biased, {1}), 0.2 / 0.5, 1e-12);
  // Expert 2 is the best of a group that stands 0.02 behind; expert 3 another 0.02 behind that one.
  EXPECT_NEAR(Shortfall(two_terms, biased, {2}), 0.02 / 0.5, 1e-12);
  EXPECT_NEAR(Shortfall(two_terms, biased, {3}), 0.02 / 0.5, 1e-12);

  const GateConfig no_groups{.experts = 4, .top_k = 2};
  EXPECT_DOUBLE_EQ(Shortfall(no_groups, biased, {0, 2}), 0);
  EXPECT_NEAR(Shortfall(no_groups, biased, {1, 3}), 0.2 / 0.5, 1e-12);
}

TEST(Shortfall, ExpertsOfMoreGroupsThanAreOpenAreNeverRight) {
  const GateConfig gate{.experts = 4, .top_k = 2, .groups = 2, .top_groups = 1};
  EXPECT_EQ(Shortfall(gate, {0.5, 0.3, 0.4, 0.38}, {0, 2}),
            std::numeric_limits<double>::infinity());
}

class ReplayTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const GoldenCase& c : ReadGoldenCases()) {
      if (c.name == "v3_decode_only") case_ = c;
    }
    ASSERT_EQ(case_.name, "v3_decode_only");
    WriteCheckpoint(case_, folder_.path());
    const auto reference = RunCase(case_, folder_.path(), NewReferenceDevice,
                                   [&](Ops& real) { return RecordChoices(real, log_); });
    ASSERT_TRUE(reference.ok()) << reference.status();
  }

  std::vector<float> Replay(WrapOps gate, Flips& flips) {
    std::vector<std::unique_ptr<Ops>> inner;
    const auto logits = RunCase(case_, folder_.path(), NewBf16Device, [&](Ops& real) {
      inner.push_back(gate(real));
      return ReplayChoices(*inner.back(), log_, flips);
    });
    EXPECT_TRUE(logits.ok()) << logits.status();
    return *logits;
  }

  TempFolder folder_;
  GoldenCase case_;
  ChoiceLog log_;
};

std::unique_ptr<Ops> AsItIs(Ops& real) {
  return GateWith(real, [](GateConfig&) {});
}

// Where nothing flips, replaying changes no bit: it replaces choices and nothing else.
TEST_F(ReplayTest, LeavesARunWithoutFlipsAlone) {
  Flips flips;
  const std::vector<float> replayed = Replay(AsItIs, flips);
  const auto alone = RunCase(case_, folder_.path(), NewBf16Device);
  ASSERT_TRUE(alone.ok()) << alone.status();
  EXPECT_EQ(flips.flips, 0);
  EXPECT_EQ(flips.choices, static_cast<int64_t>(log_.size()));
  EXPECT_EQ(replayed, *alone);
}

// A gate that is wrong hides behind no replay: its choices are flips, too many and too wide for
// parity_test's bounds (5% and 0.01), whatever the logits say.
TEST_F(ReplayTest, CountsWhatAWrongGateChooses) {
  Flips flips;
  const std::vector<float> replayed = Replay(
      [](Ops& real) { return GateWith(real, [](GateConfig& g) { g.top_groups = g.groups; }); },
      flips);
  EXPECT_LE(RelativeL2(replayed, ReadGolden(case_)), 2e-2) << "the replay mends the logits";
  EXPECT_GT(static_cast<double>(flips.flips), 0.05 * static_cast<double>(flips.choices));
  EXPECT_GT(flips.widest, 0.01);
}

// Weights are the run's own: wrong ones are not mended.
TEST_F(ReplayTest, KeepsWrongWeights) {
  Flips flips;
  const std::vector<float> replayed = Replay(
      [](Ops& real) { return GateWith(real, [](GateConfig& g) { g.normalize = false; }); }, flips);
  EXPECT_GT(RelativeL2(replayed, ReadGolden(case_)), 0.1);
}

}  // namespace
}  // namespace shoal
