#include "services/worker/convert.h"

#include "gtest/gtest.h"

namespace shoal {
namespace {

v1::Submit Example() {
  v1::Submit submit;
  submit.set_generation("g1");
  submit.set_attempt(2);
  submit.add_prompt(5);
  submit.add_prompt(6);
  submit.add_emitted(7);
  submit.set_temperature(0.5f);
  submit.set_top_p(0.25f);
  submit.set_top_k(9);
  submit.set_min_p(0.125f);
  submit.set_seed(77);
  submit.set_max_output_tokens(11);
  submit.add_stop_tokens(1);
  submit.set_deadline_millis(1500);
  return submit;
}

TEST(ToRequest, CarriesEveryField) {
  const absl::Time now = absl::FromUnixSeconds(100);
  const auto request = ToRequest(Example(), now);
  ASSERT_TRUE(request.ok());
  EXPECT_EQ(request->key, (GenerationKey{"g1", 2}));
  EXPECT_EQ(request->prompt, std::vector<TokenId>({5, 6}));
  EXPECT_EQ(request->emitted, std::vector<TokenId>({7}));
  EXPECT_EQ(request->sampling.temperature, 0.5f);
  EXPECT_EQ(request->sampling.top_p, 0.25f);
  EXPECT_EQ(request->sampling.top_k, 9);
  EXPECT_EQ(request->sampling.min_p, 0.125f);
  EXPECT_EQ(request->sampling.seed, 77u);
  EXPECT_EQ(request->max_output_tokens, 11);
  EXPECT_EQ(request->stop_tokens, std::vector<TokenId>({1}));
  EXPECT_EQ(request->deadline, now + absl::Milliseconds(1500));
}

TEST(ToRequest, NoDeadlineIsInfinite) {
  v1::Submit submit = Example();
  submit.clear_deadline_millis();
  EXPECT_EQ(ToRequest(submit, absl::Now())->deadline, absl::InfiniteFuture());
}

TEST(ToRequest, AGenerationHasAName) {
  v1::Submit submit = Example();
  submit.clear_generation();
  EXPECT_EQ(ToRequest(submit, absl::Now()).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(ToProto, EndsAreTyped) {
  StepOutput output{.key = {"g", 3}, .position = 8, .ids = {4, 5}};
  EXPECT_EQ(ToProto(output).end(), v1::GenerationTokens::NOT_ENDED);
  EXPECT_EQ(ToProto(output).position(), 8);
  EXPECT_EQ(ToProto(output).attempt(), 3u);
  EXPECT_EQ(ToProto(output).ids_size(), 2);
  output.finished = true;
  output.reason = FinishReason::kLength;
  EXPECT_EQ(ToProto(output).end(), v1::GenerationTokens::END_LENGTH);
  output.error = absl::InternalError("no");
  EXPECT_EQ(ToProto(output).end(), v1::GenerationTokens::END_ERROR);
  EXPECT_EQ(ToProto(output).error_code(), static_cast<int>(absl::StatusCode::kInternal));
  EXPECT_EQ(ToProto(output).error_message(), "no");
}

TEST(ToPlacement, RefusesWhatIsNoPlacement) {
  v1::Placement placement;
  EXPECT_FALSE(ToPlacement(placement).ok());
  placement.set_layers(1);
  placement.set_experts(2);
  placement.set_ranks(2);
  placement.add_slots(0);
  placement.add_slots(0);
  EXPECT_FALSE(ToPlacement(placement).ok());  // expert 1 lives nowhere
  placement.set_experts(2147483647);          // must not size anything
  EXPECT_FALSE(ToPlacement(placement).ok());
  placement.set_experts(2);
  placement.set_slots(1, 1);
  placement.set_version(4);
  const auto good = ToPlacement(placement);
  ASSERT_TRUE(good.ok());
  EXPECT_EQ(good->version(), 4u);
}

}  // namespace
}  // namespace shoal
