#include "services/router/cluster/rank_assignment.h"

#include "gtest/gtest.h"

namespace shoal {
namespace {

using Ranks = std::vector<int>;

TEST(AssignRanks, FreeRanksGoByName) {
  EXPECT_EQ(AssignRanks({{"w2"}, {"w0"}, {"w1"}}, 3), Ranks({2, 0, 1}));
}

TEST(AssignRanks, FewerThanRanksLeavesTheLastOnesOpen) {
  EXPECT_EQ(AssignRanks({{"b"}, {"a"}}, 4), Ranks({1, 0}));
  EXPECT_EQ(AssignRanks({}, 4), Ranks());
}

TEST(AssignRanks, PinnedBeforePreferredBeforeFree) {
  EXPECT_EQ(AssignRanks({{"a"}, {"b", -1, 1}, {"c", 1}}, 3), Ranks({0, 2, 1}));
}

TEST(AssignRanks, AReturningWorkerGetsItsShareBeforeASpare) {
  EXPECT_EQ(AssignRanks({{"a"}, {"z", -1, 0}, {"y", -1, 1}}, 2), Ranks({-1, 0, 1}));
}

TEST(AssignRanks, PinnedToATakenRankStaysSpare) {
  EXPECT_EQ(AssignRanks({{"a", 1}, {"b", 1}, {"c"}}, 3), Ranks({1, -1, 0}));
}

TEST(AssignRanks, WishesOutOfRangeAreNoWishes) {
  EXPECT_EQ(AssignRanks({{"a", -1, 7}, {"b", 5}}, 2), Ranks({0, -1}));
}

TEST(AssignRanks, DoesNotDependOnTheOrderOfArrival) {
  std::vector<RankWish> wishes = {{"d"}, {"a", -1, 2}, {"c", 0}, {"b", -1, 2}, {"e"}};
  const Ranks first = AssignRanks(wishes, 4);
  std::vector<RankWish> reversed(wishes.rbegin(), wishes.rend());
  const Ranks second = AssignRanks(reversed, 4);
  EXPECT_EQ(first, Ranks(second.rbegin(), second.rend()));
}

}  // namespace
}  // namespace shoal
