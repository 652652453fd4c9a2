// Every history of three workers and up to two routers, up to a bound, over the machines that
// serve; and every saboteur, with the shortest history that finds it.

#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>

#include "gtest/gtest.h"

#include "tests/sim/explorer.h"

namespace shoal {
namespace {

using Start = WorldOptions::Start;

void Print(const std::string& name, const ExploreResult& result) {
  std::printf("%s: %s\n", name.c_str(), result.Figures().c_str());
  for (size_t i = 0; i < result.history.size(); ++i) {
    std::printf("  %2zu. %s\n", i + 1, result.history[i].c_str());
  }
  if (!result.violation.empty()) std::printf("   => %s\n", result.violation.c_str());
}

ExploreResult Check(const std::string& name, const WorldOptions& world, uint32_t states) {
  ExploreOptions options;
  options.world = world;
  options.max_states = states;
  options.settle_every = 4;
  ExploreResult result = Explore(options);
  Print(name, result);
  EXPECT_EQ(result.violation, "");
  EXPECT_GT(result.settled, result.states / 8);
  EXPECT_GT(result.digest_checks, result.router_states / 16);
  return result;
}

// To the end: no history is left out.
void CheckAll(const std::string& name, const WorldOptions& world) {
  const ExploreResult result = Check(name, world, /*states=*/1'000'000);
  EXPECT_EQ(result.frontier, 0u) << "cut at " << result.states;
  EXPECT_GT(result.states, 5'000u);
}

// Two routers that both believe to lead, a spare worker, nothing else wrong: all there is.
TEST(ModelCheck, EveryHistoryOfTwoRoutersWithoutFaults) {
  CheckAll("two routers, no faults", {.budget = {0, 0, 0, 0, 0}});
}

// A group of router 0 serves, a second router is there, one thing goes wrong at any moment: every
// history until nothing is left to happen.
TEST(ModelCheck, EveryHistoryWithOneFault) {
  CheckAll("serving, one fault", {.budget = {1, 0, 0, 0, 0}, .start = Start::kServing});
}
TEST(ModelCheck, EveryHistoryWithOneWorkerRestart) {
  CheckAll("serving, one worker restart", {.budget = {0, 1, 0, 0, 0}, .start = Start::kServing});
}
TEST(ModelCheck, EveryHistoryWithOneRouterRestart) {
  CheckAll("serving, one router restart", {.budget = {0, 0, 1, 0, 0}, .start = Start::kServing});
}

// Several things at once: the shallow part.
TEST(ModelCheck, TheLeasePasses) {
  Check("serving, the lease passes", {.budget = {0, 0, 0, 1, 0}, .start = Start::kServing},
        400'000);
}
TEST(ModelCheck, OneOfEach) {
  Check("serving, one of each", {.budget = {1, 1, 1, 1, 1}, .start = Start::kServing}, 100'000);
  Check("serving, all workers members, one of each",
        {.group_size = 3, .budget = {1, 1, 1, 1, 1}, .start = Start::kServing}, 50'000);
  Check("cold, one of each", {.budget = {1, 1, 1, 1, 1}}, 100'000);
}

// ---- saboteurs ----

ExploreResult Find(const std::string& name, const std::string& invariant, WorldOptions world,
                   uint32_t settle_every = 0) {
  ExploreOptions options;
  options.world = std::move(world);
  options.max_states = 400'000;
  options.settle_every = settle_every;
  ExploreResult result = Explore(options);
  Print("SABOTEUR " + name + ", found in " + std::to_string(result.history.size()) + " steps",
        result);
  EXPECT_TRUE(result.violation.starts_with(invariant)) << name << ": " << result.violation;
  const ExploreResult again = Replay(options.world, result.choices);
  EXPECT_EQ(again.violation, result.violation.starts_with("M7") ? "" : result.violation);
  EXPECT_EQ(again.history, result.history);
  return result;
}

// Refuses what is lower, takes what is equal.
class RefusesOnlyLower : public Member {
 public:
  using Member::Member;

 private:
  bool MayPromise(const v1::Epoch& epoch) const override {
    return epoch.number() >= promise().number();
  }
};

// The obvious design: a number, one more than the largest that this router made; stale is refused.
WorldOptions TheObviousDesign() {
  WorldOptions world;
  world.seams.UseMember<RefusesOnlyLower>();
  world.seams.forget_promises = true;
  world.same_incarnation = true;
  world.harm_only = true;
  return world;
}

TEST(CheckedSaboteurs, LargestKnownPlusOneWithARouterRestart) {
  WorldOptions world = TheObviousDesign();
  world.routers = 1;
  world.budget = {0, 0, 1, 0, 0};
  Find("largest known + 1, one router restarted", "M1", std::move(world));
}

TEST(CheckedSaboteurs, LargestKnownPlusOneWithTwoRouters) {
  WorldOptions world = TheObviousDesign();
  world.budget = {0, 0, 0, 1, 0};
  world.start = Start::kServing;
  Find("largest known + 1, two routers", "M1", std::move(world));
}

TEST(CheckedSaboteurs, EpochsWithoutIncarnation) {
  Find("epochs without incarnation", "M1", {.budget = {0, 1, 0, 0, 0}, .same_incarnation = true});
}

class AcceptsStale : public Member {
 public:
  using Member::Member;

 private:
  bool MayPromise(const v1::Epoch&) const override { return true; }
};

TEST(CheckedSaboteurs, AStaleEpochAccepted) {
  WorldOptions world{.budget = {1, 1, 0, 0, 0}};
  world.seams.UseMember<AcceptsStale>();
  Find("stale accepted", "M2", std::move(world));
}

class CommitsEarly : public Membership {
 public:
  using Membership::Membership;

 private:
  bool MayCommit() const override { return true; }
};

TEST(CheckedSaboteurs, CommittedAfterTheFirstPrepared) {
  WorldOptions world{.routers = 1, .budget = {0, 0, 0, 0, 0}};
  world.seams.UseMembership<CommitsEarly>();
  Find("commit after the first Prepared", "R2", std::move(world));
}

class ForgetsReports : public Membership {
 public:
  using Membership::Membership;

 private:
  v1::Epoch NextEpoch() const override {
    v1::Epoch epoch;
    epoch.set_number(1);
    epoch.set_incarnation(options_.incarnation);
    return epoch;
  }
};

TEST(CheckedSaboteurs, ANumberThatDoesNotExceedThePromises) {
  WorldOptions world{.budget = {0, 1, 0, 0, 0}, .start = Start::kServing};
  world.seams.UseMembership<ForgetsReports>();
  Find("number below the promises", "M1", world);
  world.seams.forget_promises = true;
  world.harm_only = true;  // no harm is done, but no group forms again
  Find("number below the promises, unseen", "M7", world, /*settle_every=*/1);
}

}  // namespace
}  // namespace shoal
