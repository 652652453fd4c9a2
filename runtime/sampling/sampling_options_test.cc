#include "runtime/sampling/sampling_options.h"

#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"

namespace shoal {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

bool Refused(const SamplingOptions& options, absl::string_view start) {
  const absl::Status status = Validate(options, 100);
  return absl::IsInvalidArgument(status) && absl::StartsWith(status.message(), start);
}

TEST(SamplingOptionsTest, TheDefaultsAndTheBoundsAreValid) {
  EXPECT_TRUE(Validate({}).ok());
  EXPECT_TRUE(Validate({.temperature = 2, .top_p = 0.5, .top_k = 3, .min_p = 0.1}).ok());
  EXPECT_TRUE(Validate({.presence_penalty = -2,
                        .frequency_penalty = 2,
                        .repetition_penalty = 10,
                        .logit_bias = {{0, -100}, {99, 100}},
                        .min_tokens = 7,
                        .logprobs = true,
                        .top_logprobs = 20},
                       100)
                  .ok());
}

TEST(SamplingOptionsTest, EachScalarIsRefusedByName) {
  for (float bad : {kNaN, kInf, -kInf, -2.5f}) {
    EXPECT_TRUE(Refused({.temperature = bad}, "temperature is ")) << bad;
    EXPECT_TRUE(Refused({.top_p = bad}, "top_p is ")) << bad;
    EXPECT_TRUE(Refused({.min_p = bad}, "min_p is ")) << bad;
    EXPECT_TRUE(Refused({.presence_penalty = bad}, "presence_penalty is ")) << bad;
    EXPECT_TRUE(Refused({.frequency_penalty = bad}, "frequency_penalty is ")) << bad;
    EXPECT_TRUE(Refused({.repetition_penalty = bad}, "repetition_penalty is ")) << bad;
  }
  EXPECT_TRUE(Refused({.temperature = 2.5}, "temperature is 2.5, it must be in [0, 2]"));
  EXPECT_TRUE(Refused({.top_p = 0}, "top_p"));
  EXPECT_TRUE(Refused({.top_p = 1.5}, "top_p"));
  EXPECT_TRUE(Refused({.top_k = -1}, "top_k is -1, "));
  EXPECT_TRUE(Refused({.min_p = 1}, "min_p"));
  EXPECT_TRUE(Refused({.repetition_penalty = 0}, "repetition_penalty"));
  EXPECT_TRUE(Refused({.min_tokens = -1}, "min_tokens is -1, "));
  EXPECT_TRUE(Refused({.logprobs = true, .top_logprobs = 21}, "top_logprobs is 21, "));
  EXPECT_TRUE(Refused({.logprobs = true, .top_logprobs = -1}, "top_logprobs is -1, "));
  EXPECT_TRUE(Refused({.top_logprobs = 3}, "top_logprobs is 3, it must be 0 where logprobs"));
}

TEST(SamplingOptionsTest, EachBiasIsRefusedByItsIndex) {
  EXPECT_TRUE(Refused({.logit_bias = {{1, 0}, {100, 0}}}, "logit_bias[1].id is 100, "));
  EXPECT_TRUE(Refused({.logit_bias = {{-1, 0}}}, "logit_bias[0].id is -1, "));
  EXPECT_TRUE(Refused({.logit_bias = {{1, 0}, {2, 0}, {1, 0}}}, "logit_bias[2].id is 1, "));
  for (float bad : {kNaN, kInf, -kInf, 100.5f}) {
    EXPECT_TRUE(Refused({.logit_bias = {{1, bad}}}, "logit_bias[0].bias is ")) << bad;
  }
  SamplingOptions options;
  for (TokenId id = 0; id < 1024; ++id) options.logit_bias.push_back({id, 1});
  EXPECT_TRUE(Validate(options).ok());
  EXPECT_TRUE(Refused(options, "logit_bias[100].id is 100, "));
  options.logit_bias.push_back({1024, 1});
  EXPECT_EQ(Validate(options).message(), "logit_bias has 1025 entries, at most 1024 are allowed");
}

}  // namespace
}  // namespace shoal
