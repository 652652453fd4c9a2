// Groups that are not chosen are -inf, as in DeepSeek's own gate, not 0.0, as in transformers: the
// same while biased scores are positive, and another choice where they are not.  All numbers here
// are worked out by hand.

#include <cmath>
#include <memory>
#include <vector>

#include "gtest/gtest.h"

#include "runtime/device/device.h"
#include "runtime/device/ops.h"
#include "runtime/device/reference/reference_device.h"
#include "runtime/tensor/dtype.h"
#include "runtime/tensor/tensor.h"
#include "runtime/weights/testing/temp_folder.h"
#include "tests/parity/edit_checkpoint.h"
#include "tests/parity/golden_case.h"
#include "tests/parity/model_saboteurs.h"

namespace shoal {
namespace {

constexpr GateConfig kGate = {.score = GateScore::kSigmoid,
                              .experts = 8,
                              .top_k = 3,
                              .groups = 4,
                              .top_groups = 2,
                              .group_score_terms = 2,
                              .normalize = true,
                              .scale = 2.5f};
// sigmoid(ln 3) = 3/4, sigmoid(0) = 1/2, sigmoid(-ln 3) = 1/4.
constexpr float kLn3 = 1.0986123f;
//            group 0       group 1        group 2          group 3
// s          3/4    1/4    1/2    1/4     1/2     1/2      1/4    1/4
// s'         3/4   -1/4    3/4   -1/2     1/8     0       -1/4   -1/4
// groups           1/2            1/4             1/8            -1/2     so 0 and 1 are open
constexpr float kLogits[8] = {kLn3, -kLn3, 0, -kLn3, 0, 0, -kLn3, -kLn3};
constexpr float kBiases[8] = {0, -0.5f, 0.25f, -0.75f, -0.375f, -0.5f, -0.5f, -0.5f};

// The gate's answer for a row whose logits are kLogits: x is (1, 0), and kLogits the first column
// of the gate's matrix.
Routing Choose(Device& device, Ops& ops) {
  std::vector<float> w, bias(kBiases, kBiases + 8);
  for (const float logit : kLogits) w.insert(w.end(), {logit, 7});
  std::vector<float> x = {1, 0};
  std::vector<BF16> rounded = {BF16::FromFloat(1), BF16::FromFloat(0)};
  const bool f32 = device.ops().activation_dtype() == DType::kF32;
  Routing routing;
  ops.Gate(f32 ? Tensor::Of(x.data(), DType::kF32, 1, 2)
               : Tensor::Of(rounded.data(), DType::kBF16, 1, 2),
           Tensor::Of(w.data(), DType::kF32, 8, 2), Tensor::Of(bias.data(), DType::kF32, 1, 8),
           kGate, &routing);
  EXPECT_TRUE(ops.Finish().ok());
  return routing;
}

class GroupMaskTest : public ::testing::TestWithParam<std::unique_ptr<Device> (*)()> {};

// Of the open groups 3/4, -1/4, 3/4, -1/2: experts 0, 2 and then 1, for all that -1/4 is negative.
// Weights: 2.5 * (3/4, 1/4, 1/2) / (3/2).
TEST_P(GroupMaskTest, ANegativeScoreOfAnOpenGroupBeatsAClosedGroup) {
  const auto device = GetParam()();
  const Routing routing = Choose(*device, device->ops());
  EXPECT_EQ(routing.expert, (std::vector<int32_t>{0, 1, 2}));
  ASSERT_EQ(routing.weight.size(), 3u);
  EXPECT_NEAR(routing.weight[0], 2.5 * 3 / 6, 1e-6);
  EXPECT_NEAR(routing.weight[1], 2.5 * 1 / 6, 1e-6);
  EXPECT_NEAR(routing.weight[2], 2.5 * 2 / 6, 1e-6);
}

// With 0.0 for closed groups a third place goes to expert 4, whose group is closed: the lowest of
// the zeros.  Weights: 2.5 * (3/4, 1/2, 1/2) / (7/4).
TEST_P(GroupMaskTest, TheOtherMaskChoosesAClosedGroup) {
  const auto device = GetParam()();
  const auto masked = ZeroMaskedGroups(device->ops());
  const Routing routing = Choose(*device, *masked);
  EXPECT_EQ(routing.expert, (std::vector<int32_t>{0, 2, 4}));
  ASSERT_EQ(routing.weight.size(), 3u);
  EXPECT_NEAR(routing.weight[0], 2.5 * 3 / 7, 1e-6);
  EXPECT_NEAR(routing.weight[1], 2.5 * 2 / 7, 1e-6);
  EXPECT_NEAR(routing.weight[2], 2.5 * 2 / 7, 1e-6);
}

INSTANTIATE_TEST_SUITE_P(Devices, GroupMaskTest,
                         ::testing::Values(&NewReferenceDevice, &NewBf16Device),
                         [](const auto& info) { return info.index == 0 ? "Reference" : "Cpu"; });

// In a whole model: biases that are all lower by 1 make every s' negative and change no choice, so
// the golden of the unchanged biases still holds.  With the other mask it does not.
TEST(GroupMaskInAModel, LowerBiasesChangeNothing) {
  for (const GoldenCase& c : ReadGoldenCases()) {
    if (c.name != "v3") continue;
    TempFolder folder;
    WriteCheckpoint(c, folder.path());
    const int edited = EditTensors(folder.path(), "e_score_correction_bias", [](StoredMatrix& b) {
      for (int64_t e = 0; e < b.cols; ++e) b.At<float>(0, e) -= 1;
    });
    EXPECT_EQ(edited, 2);
    const auto ours = RunCase(c, folder.path(), NewReferenceDevice);
    const auto zeros = RunCase(c, folder.path(), NewReferenceDevice, ZeroMaskedGroups);
    ASSERT_TRUE(ours.ok() && zeros.ok()) << ours.status() << zeros.status();
    EXPECT_LE(RelativeL2(*ours, ReadGolden(c)), 1e-5);
    EXPECT_GT(RelativeL2(*zeros, ReadGolden(c)), 0.1);
    return;
  }
  FAIL() << "there is no case v3";
}

}  // namespace
}  // namespace shoal
