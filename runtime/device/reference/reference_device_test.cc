#include "runtime/device/reference/reference_device.h"

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "gtest/gtest.h"

#include "runtime/device/contract/ops_contract.h"
#include "runtime/device/contract/side.h"
#include "runtime/device/device.h"
#include "runtime/device/ops.h"
#include "runtime/tensor/dtype.h"
#include "runtime/tensor/tensor.h"

namespace shoal {
namespace {

// Against itself: shapes, empty batches and poisoned outputs.
INSTANTIATE_TEST_SUITE_P(Reference, OpsContract,
                         testing::Values(DeviceUnderTest{"reference",
                                                         [] { return NewReferenceDevice(); }}),
                         DeviceName);

// Numbers worked out by hand, so that the oracle is not its own judge.
TEST(ReferenceDevice, SmallCasesByHand) {
  const std::unique_ptr<Device> device = NewReferenceDevice();
  Side s(*device);
  const Tensor out = s.OutF32(1, 2);
  s.ops().MatMul(s.PutF32({1, 2, {3, 4}}), s.PutWeight({2, 2, {1, 2, -1, 0.5}}, DType::kF32), out);
  EXPECT_EQ(s.Get(out), (std::vector<float>{11, -1}));
  s.ops().MatMul(s.PutF32({1, 2, {3, 4}}),
                 s.PutWeight({2, 2, {1, 2, -1, 0.5}}, DType::kF8E4M3, {1, 1, {2}}), out);
  EXPECT_EQ(s.Get(out), (std::vector<float>{22, -2}));
  s.ops().RmsNorm(s.PutF32({1, 2, {3, 4}}), s.PutF32({1, 2, {1, 2}}), 0,
                  out);  // the mean square is 12.5
  EXPECT_NEAR(s.Get(out)[0], 0.848528, 1e-6);
  EXPECT_NEAR(s.Get(out)[1], 2.262742, 1e-6);
  s.ops().SwiGlu(s.PutF32({1, 2, {0, 1}}), s.PutF32({1, 2, {5, 2}}), out);
  EXPECT_NEAR(s.Get(out)[0], 0, 1e-9);
  EXPECT_NEAR(s.Get(out)[1], 1.462117, 1e-6);  // 2 / (1 + e^-1)
}

TEST(ReferenceDevice, AttentionOfTwoLinesByHand) {
  const std::unique_ptr<Device> device = NewReferenceDevice();
  Side s(*device);
  const std::vector<int32_t> blocks = {0};
  const std::vector<absl::Span<const int32_t>> tables = {blocks};
  const KvLayer kv{s.OutF32(kKvBlock, 2), tables};
  s.ops().AppendKv(kv, s.PutF32({2, 1, {1, 3}}), s.PutF32({2, 1, {0, 1}}), {{0, 0}, {1, 0}});
  const Tensor out = s.OutF32(1, 1);
  // Scores 0.5 * (2 * 1 + 4 * 0) = 1 and 0.5 * (2 * 3 + 4 * 1) = 5; weights 1 / (1 + e^4) and its
  // complement.
  s.ops().MlaAttend(s.PutF32({1, 1, {2}}), s.PutF32({1, 1, {4}}), kv, {{1, 0}}, 0.5f, out);
  EXPECT_NEAR(s.Get(out)[0], 3 - 2 * 0.0179862, 1e-6);
}

TEST(ReferenceDevice, GateByHand) {
  const std::unique_ptr<Device> device = NewReferenceDevice();
  Side s(*device);
  Routing routing;
  // sigmoid(0), sigmoid(1), sigmoid(-1), sigmoid(0); the bias lifts the third over the others.
  s.ops().Gate(s.PutF32({1, 1, {1}}), s.PutF32({4, 1, {0, 1, -1, 0}}),
               s.PutF32({1, 4, {0, 0, 1, 0}}), {GateScore::kSigmoid, 4, 2, 1, 1, 2, true, 2.0f},
               &routing);
  EXPECT_EQ(routing.expert, (std::vector<int32_t>{1, 2}));
  EXPECT_NEAR(routing.weight[0], 2 * 0.731059, 1e-5);
  EXPECT_NEAR(routing.weight[1], 2 * 0.268941, 1e-5);
}

// Where every biased score is negative, masking the unselected groups with 0 (as transformers does)
// chooses from them, and with -inf (DeepSeek's own code) from the best group.
TEST(ReferenceDevice, GateMasksWithMinusInfinity) {
  const std::unique_ptr<Device> device = NewReferenceDevice();
  Side s(*device);
  Routing routing;
  s.ops().Gate(s.PutF32({1, 1, {1}}), s.PutF32({4, 1, {-1, -1, 1, 0}}),
               s.PutF32({1, 4, {-2, -2, -2, -2}}), {GateScore::kSigmoid, 4, 2, 2, 1, 2, true, 2.0f},
               &routing);
  EXPECT_EQ(routing.expert, (std::vector<int32_t>{2, 3}));  // with 0 it would be {0, 1}
  EXPECT_NEAR(routing.weight[0], 2 * 0.731059 / 1.231059, 1e-5);
  EXPECT_NEAR(routing.weight[1], 2 * 0.5 / 1.231059, 1e-5);
}

}  // namespace
}  // namespace shoal
