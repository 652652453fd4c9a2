#include "runtime/sampling/reasoning_limit.h"

#include <vector>

#include "gtest/gtest.h"

namespace shoal {
namespace {

constexpr TokenId kBegin = 90, kEnd = 91;

std::optional<TokenId> Forced(bool open, int64_t max, const std::vector<TokenId>& output) {
  return ForcedToken({.begin = kBegin, .end = kEnd, .open_in_prompt = open, .max_tokens = max},
                     output);
}

TEST(ReasoningLimitTest, EndsReasoningThatThePromptOpened) {
  EXPECT_EQ(Forced(true, 2, {}), std::nullopt);
  EXPECT_EQ(Forced(true, 2, {5}), std::nullopt);
  EXPECT_EQ(Forced(true, 2, {5, 6}), kEnd);
  EXPECT_EQ(Forced(true, 2, {5, 6, 7}), kEnd);
  EXPECT_EQ(Forced(true, 2, {5, 6, kEnd}), std::nullopt);
  EXPECT_EQ(Forced(true, 2, {kEnd, 6, 7, 8}), std::nullopt);
  EXPECT_EQ(Forced(true, 0, {}), kEnd);
  EXPECT_EQ(Forced(true, 0, {kEnd, 4}), std::nullopt);
}

TEST(ReasoningLimitTest, EndsReasoningThatTheModelOpened) {
  EXPECT_EQ(Forced(false, 1, {}), std::nullopt);
  EXPECT_EQ(Forced(false, 1, {5, 6, 7}), std::nullopt);
  EXPECT_EQ(Forced(false, 1, {kBegin}), std::nullopt);
  EXPECT_EQ(Forced(false, 1, {kBegin, 6}), kEnd);
  EXPECT_EQ(Forced(false, 1, {5, kBegin, 6}), kEnd);
  EXPECT_EQ(Forced(false, 0, {kBegin}), kEnd);
  EXPECT_EQ(Forced(false, 1, {kBegin, kEnd, 6, kBegin, 7, 8}), std::nullopt);
}

}  // namespace
}  // namespace shoal
