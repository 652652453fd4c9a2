#include "runtime/moe/placement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <set>
#include <vector>

namespace shoal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Placement, ContiguousGivesEveryRankItsShare) {
  const auto p = ExpertPlacement::Contiguous(2, 6, 3);
  ASSERT_TRUE(p.ok()) << p.status();
  EXPECT_EQ(p->layers(), 2);
  EXPECT_EQ(p->experts(), 6);
  EXPECT_EQ(p->ranks(), 3);
  EXPECT_EQ(p->slots_per_rank(), 2);
  EXPECT_EQ(p->version(), 0u);
  EXPECT_THAT(p->ExpertsOf(1, 2), ElementsAre(4, 5));
  for (int asking = 0; asking < 3; ++asking) {
    const auto slot = p->Pick(1, 3, asking);
    EXPECT_EQ(slot.rank, 1);
    EXPECT_EQ(slot.slot, 1);
  }
}

TEST(Placement, ContiguousRefusesUnevenRanks) {
  const auto p = ExpertPlacement::Contiguous(1, 16, 3);
  EXPECT_EQ(p.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(p.status().message(), HasSubstr("3 ranks do not divide 16 experts"));
}

TEST(Placement, FromSlotsRefusesWhatBreaksItsRules) {
  const auto refused = [](int layers, int experts, int ranks, std::vector<int32_t> slots) {
    const auto p = ExpertPlacement::FromSlots(layers, experts, ranks, std::move(slots), 1);
    EXPECT_EQ(p.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(p.status().message());
  };
  EXPECT_THAT(refused(1, 2, 2, {0, 2}), HasSubstr("layer 0, rank 1, slot 0: expert 2 of 2"));
  EXPECT_THAT(refused(1, 2, 2, {-1, 1}), HasSubstr("expert -1 of 2"));
  EXPECT_THAT(refused(1, 3, 2, {0, 1, 1, 0}), HasSubstr("layer 0: expert 2 has no slot"));
  EXPECT_THAT(refused(1, 2, 2, {0, 1, 1, 1}), HasSubstr("expert 1 is in slot 0 already"));
  EXPECT_THAT(refused(1, 3, 2, {0, 1, 2}), HasSubstr("3 slots"));
  EXPECT_THAT(refused(1, 0, 2, {}), HasSubstr("0 experts"));
  EXPECT_THAT(refused(1, 1, 2, {}), HasSubstr("0 slots"));
  EXPECT_THAT(refused(1, 2147483647, 2, {0, 1}), HasSubstr("2147483647 experts of a layer in 2"));
}

TEST(Placement, PickPrefersTheOwnReplicaAndSpreadsTheRest) {
  // Expert 0 on ranks 0 and 1; ranks 2 and 3 have to travel, and not both to the same replica.
  const auto p = ExpertPlacement::FromSlots(1, 5, 4, {0, 1, 2, 0, 3, 4, 1, 2}, 7);
  ASSERT_TRUE(p.ok()) << p.status();
  EXPECT_EQ(p->ReplicasOf(0, 0).size(), 2u);
  EXPECT_EQ(p->Pick(0, 0, 0).rank, 0);
  EXPECT_EQ(p->Pick(0, 0, 1).rank, 1);
  EXPECT_EQ(p->Pick(0, 0, 1).slot, 1);
  EXPECT_NE(p->Pick(0, 0, 2).rank, p->Pick(0, 0, 3).rank);
}

TEST(Placement, DigestSeparatesWhatDiffers) {
  const auto a = ExpertPlacement::FromSlots(1, 4, 2, {0, 1, 2, 3}, 1);
  const auto same = ExpertPlacement::FromSlots(1, 4, 2, {0, 1, 2, 3}, 1);
  const auto newer = ExpertPlacement::FromSlots(1, 4, 2, {0, 1, 2, 3}, 2);
  const auto other = ExpertPlacement::FromSlots(1, 4, 2, {1, 0, 2, 3}, 1);
  EXPECT_EQ(a->Digest().size(), 64u);
  EXPECT_EQ(a->Digest(), same->Digest());
  EXPECT_NE(a->Digest(), newer->Digest());
  EXPECT_NE(a->Digest(), other->Digest());
}

// One random problem of Balance.
struct Problem {
  int layers, experts, slots;
  std::vector<double> load;
  std::vector<int32_t> domain;
};

Problem RandomProblem(uint32_t seed) {
  std::mt19937 rng(seed);
  Problem p;
  p.layers = 1 + rng() % 3;
  const int domains = 1 + rng() % 5, per_domain = 1 + rng() % 3;
  for (int d = 0; d < domains; ++d) {
    for (int i = 0; i < per_domain; ++i) p.domain.push_back(100 - 7 * d);
  }
  std::shuffle(p.domain.begin(), p.domain.end(), rng);
  p.experts = 1 + rng() % 37;
  const int ranks = domains * per_domain;
  const int least = (p.experts + ranks - 1) / ranks;
  p.slots = std::min<int>(p.experts, least + rng() % 4);
  for (int i = 0; i < p.layers * p.experts; ++i)
    p.load.push_back(rng() % 5 == 0 ? 0.0 : rng() % 1000);
  return p;
}

TEST(Balance, FillsEverySlotAndKeepsReplicasApart) {
  for (uint32_t seed = 0; seed < 2000; ++seed) {
    SCOPED_TRACE(seed);
    const Problem q = RandomProblem(seed);
    const auto p = ExpertPlacement::Balance(q.layers, q.load, q.domain, q.slots, 3);
    ASSERT_TRUE(p.ok()) << p.status();  // FromSlots has checked: none missing, none twice on a rank
    EXPECT_EQ(p->slots_per_rank(), q.slots);
    EXPECT_EQ(p->experts(), q.experts);
    const size_t domains = std::set<int32_t>(q.domain.begin(), q.domain.end()).size();
    for (int layer = 0; layer < q.layers; ++layer) {
      for (int e = 0; e < q.experts; ++e) {
        std::set<int32_t> covered;
        for (const auto& s : p->ReplicasOf(layer, e)) covered.insert(q.domain[s.rank]);
        EXPECT_EQ(covered.size(), std::min(domains, p->ReplicasOf(layer, e).size()))
            << "layer " << layer << " expert " << e;
      }
    }
  }
}

double BusiestRank(const ExpertPlacement& p, absl::Span<const double> load) {
  std::vector<double> busy(p.ranks());
  for (int e = 0; e < p.experts(); ++e) {
    const auto replicas = p.ReplicasOf(0, e);
    for (const auto& s : replicas) busy[s.rank] += load[e] / static_cast<double>(replicas.size());
  }
  return *std::max_element(busy.begin(), busy.end());
}

TEST(Balance, BeatsContiguousOnASkewedLoad) {
  // The first experts are the popular ones, as 1 / rank; two extra slots a rank.
  std::vector<double> load(64);
  for (int e = 0; e < 64; ++e) load[e] = 1.0 / (1 + e);
  const std::vector<int32_t> domain = {0, 0, 1, 1, 2, 2, 3, 3};
  const auto contiguous = ExpertPlacement::Contiguous(1, 64, 8);
  const auto balanced = ExpertPlacement::Balance(1, load, domain, 10, 1);
  ASSERT_TRUE(balanced.ok()) << balanced.status();
  const double fair = std::accumulate(load.begin(), load.end(), 0.0) / 8;
  EXPECT_GT(BusiestRank(*contiguous, load), 4 * fair);
  EXPECT_LT(BusiestRank(*balanced, load), 1.15 * fair);
}

TEST(Balance, IsDeterministicAndGivesTheHotExpertTheReplicas) {
  const std::vector<double> load = {8, 1, 1, 1};
  const std::vector<int32_t> domain = {0, 1, 2};
  const auto p = ExpertPlacement::Balance(1, load, domain, 2, 5);
  ASSERT_TRUE(p.ok()) << p.status();
  EXPECT_EQ(p->ReplicasOf(0, 0).size(), 3u);
  EXPECT_EQ(p->version(), 5u);
  EXPECT_EQ(p->Digest(), ExpertPlacement::Balance(1, load, domain, 2, 5)->Digest());
}

TEST(Balance, RefusesWhatCannotBe) {
  const std::vector<double> load(8, 1.0), bad = {1, -1}, nan = {1, std::nan("")};
  const std::vector<int32_t> domain = {0, 1};
  const auto refused = [](const absl::StatusOr<ExpertPlacement>& p) {
    EXPECT_EQ(p.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(p.status().message());
  };
  EXPECT_THAT(refused(ExpertPlacement::Balance(1, load, domain, 3, 1)),
              HasSubstr("3 slots on each of 2 ranks do not hold 8"));
  EXPECT_THAT(refused(ExpertPlacement::Balance(1, load, domain, 9, 1)),
              HasSubstr("9 slots on a rank for only 8"));
  EXPECT_THAT(refused(ExpertPlacement::Balance(3, load, domain, 4, 1)),
              HasSubstr("8 loads for 3 layers"));
  EXPECT_THAT(refused(ExpertPlacement::Balance(1, bad, domain, 1, 1)), HasSubstr("load 1 is -1"));
  EXPECT_THAT(refused(ExpertPlacement::Balance(1, nan, domain, 1, 1)), HasSubstr("load 1 is nan"));
}

}  // namespace
}  // namespace shoal
