#include "services/router/cluster/attempt_fence.h"

#include "gtest/gtest.h"

namespace shoal {
namespace {

using Verdict = AttemptFence::Verdict;

v1::GenerationTokens Tokens(const char* generation, uint32_t attempt, int64_t position, int count,
                            v1::GenerationTokens::End end = v1::GenerationTokens::NOT_ENDED) {
  v1::GenerationTokens tokens;
  tokens.set_generation(generation);
  tokens.set_attempt(attempt);
  tokens.set_position(position);
  for (int i = 0; i < count; ++i) tokens.add_ids(1);
  tokens.set_end(end);
  return tokens;
}

TEST(AttemptFence, EachPositionCountsOnce) {
  AttemptFence fence;
  fence.Add("g", 0, 5);
  EXPECT_EQ(fence.Accept(Tokens("g", 0, 5, 2)), Verdict::kCurrent);
  EXPECT_EQ(fence.Accept(Tokens("g", 0, 5, 2)), Verdict::kRepeated);
  EXPECT_EQ(fence.Accept(Tokens("g", 0, 8, 1)), Verdict::kRepeated);  // a gap
  EXPECT_EQ(fence.Accept(Tokens("g", 0, 7, 1)), Verdict::kCurrent);
}

TEST(AttemptFence, NothingAfterTheEnd) {
  AttemptFence fence;
  fence.Add("g", 0, 5);
  EXPECT_EQ(fence.Accept(Tokens("g", 0, 5, 1, v1::GenerationTokens::END_STOP)), Verdict::kCurrent);
  EXPECT_EQ(fence.Accept(Tokens("g", 0, 6, 1)), Verdict::kUnknown);
  EXPECT_EQ(fence.size(), 0u);
}

TEST(AttemptFence, AnEndWithoutTokensNeedsNoPosition) {
  AttemptFence fence;
  fence.Add("g", 0, 5);
  EXPECT_EQ(fence.Accept(Tokens("g", 0, 0, 0, v1::GenerationTokens::END_ERROR)), Verdict::kCurrent);
}

TEST(AttemptFence, R4OnlyTheCurrentAttemptCounts) {
  AttemptFence fence;
  fence.Add("g", 0, 5);
  fence.Add("g", 1, 9);
  EXPECT_EQ(fence.Accept(Tokens("g", 0, 5, 1)), Verdict::kUnknown);
  fence.Remove("g", 0);
  EXPECT_EQ(fence.Accept(Tokens("g", 1, 9, 1)), Verdict::kCurrent);
  fence.Remove("g", 1);
  EXPECT_EQ(fence.Accept(Tokens("g", 1, 10, 1)), Verdict::kUnknown);
}

}  // namespace
}  // namespace shoal
