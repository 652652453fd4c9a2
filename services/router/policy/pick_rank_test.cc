#include "services/router/policy/pick_rank.h"

#include <gtest/gtest.h>

#include <vector>

#include "services/common/error.h"

namespace shoal {
namespace {

RankLoad Rank(int32_t rank, int32_t running, int32_t waiting, int64_t free) {
  return {.rank = rank,
          .accepting = true,
          .running = running,
          .waiting = waiting,
          .max_waiting = 4,
          .kv_blocks_free = free,
          .kv_blocks_total = 10};
}

TEST(PickRankTest, FewestGenerationsThenMostFreeThenLowest) {
  EXPECT_EQ(*PickRank({}, {Rank(0, 2, 0, 9), Rank(1, 1, 0, 1), Rank(2, 1, 1, 9)}), 1);
  EXPECT_EQ(*PickRank({}, {Rank(0, 1, 0, 3), Rank(1, 1, 0, 5)}), 1);
  EXPECT_EQ(*PickRank({}, {Rank(1, 1, 0, 5), Rank(0, 1, 0, 5)}), 0);
}

TEST(PickRankTest, PassesOverRanksThatDoNotAccept) {
  std::vector<RankLoad> ranks = {Rank(0, 0, 0, 9), Rank(1, 5, 3, 0)};
  ranks[0].accepting = false;
  EXPECT_EQ(*PickRank({}, ranks), 1);
  ranks[1].accepting = false;
  EXPECT_EQ(PickRank({}, ranks).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(PickRank({}, {}).status().code(), absl::StatusCode::kUnavailable);
}

TEST(PickRankTest, FullQueuesAreATypedRefusal) {
  const auto picked = PickRank({}, {Rank(0, 9, 4, 0), Rank(1, 9, 5, 0)});
  EXPECT_EQ(picked.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(picked.status()), "QUEUE_FULL");
}

TEST(PickRankTest, WhatNeverFitsIsRefusedWithBothNumbers) {
  const auto picked = PickRank({.kv_blocks = 11}, {Rank(0, 0, 0, 10)});
  EXPECT_EQ(picked.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(picked.status().message().find("11"), std::string::npos);
  EXPECT_NE(picked.status().message().find("10"), std::string::npos);
}

TEST(PickRankTest, LargerPoolsMayTakeWhatSmallOnesCannot) {
  std::vector<RankLoad> ranks = {Rank(0, 0, 0, 10), Rank(1, 3, 0, 10)};
  ranks[1].kv_blocks_total = 20;
  EXPECT_EQ(*PickRank({.kv_blocks = 15}, ranks), 1);
}

}  // namespace
}  // namespace shoal
