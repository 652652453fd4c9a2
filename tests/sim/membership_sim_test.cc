// The membership protocol under random faults: the invariants hold over thousands of seeds, and
// each saboteur is found, so they can fail.

#include <memory>
#include <string>

#include "gtest/gtest.h"

#include "tests/sim/cluster_sim.h"

namespace shoal {
namespace {

SimOptions Case(uint64_t seed) {
  SimOptions options;
  options.seed = seed;
  options.routers = 1 + static_cast<int>(seed % 2);
  options.group_size = seed % 3 == 0 ? 2 : 3;  // with 2 there is a spare
  return options;
}

TEST(MembershipSim, InvariantsHold) {
  constexpr uint64_t kSeeds = 3000;
  int64_t groups = 0, faults = 0;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const SimResult result = ClusterSim(Case(seed)).Run();
    ASSERT_EQ(result.violation, "") << "seed " << seed;
    groups += result.groups;
    faults += result.faults;
  }
  // The runs did something: groups formed and broke.
  EXPECT_GT(groups, 2 * static_cast<int64_t>(kSeeds));
  EXPECT_GT(faults, 5 * static_cast<int64_t>(kSeeds));
}

// The same run twice is the same run.
TEST(MembershipSim, ASeedIsAHistory) {
  const SimResult a = ClusterSim(Case(11)).Run(), b = ClusterSim(Case(11)).Run();
  EXPECT_EQ(a.groups, b.groups);
  EXPECT_EQ(a.faults, b.faults);
}

// Runs seeds until one shows `invariant` broken.
void ExpectFound(const std::string& invariant, void (*sabotage)(SimOptions&)) {
  constexpr uint64_t kSeeds = 500;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SimOptions options = Case(seed);
    sabotage(options);
    if (ClusterSim(options).Run().violation.starts_with(invariant)) return;
  }
  FAIL() << invariant << " was never seen broken in " << kSeeds << " runs";
}

class AcceptsStale : public Member {
 public:
  using Member::Member;

 private:
  bool MayPromise(const v1::Epoch&) const override { return true; }
};

TEST(Saboteurs, AStaleEpochAccepted) {
  ExpectFound("M2", [](SimOptions& options) {
    options.make_member = [](v1::Join j) { return std::make_unique<AcceptsStale>(std::move(j)); };
  });
}

// The obvious design: one more than the largest number the router remembers, and nothing that tells
// two routers' epochs apart.
TEST(Saboteurs, EpochsWithoutIncarnationOrPromises) {
  ExpectFound("M1", [](SimOptions& options) {
    options.same_incarnation = true;
    options.forget_promises = true;
  });
}

TEST(Saboteurs, EpochsWithoutIncarnation) {
  ExpectFound("M1", [](SimOptions& options) {
    options.same_incarnation = true;
    options.routers = 2;
  });
}

class CommitsEarly : public Membership {
 public:
  using Membership::Membership;

 private:
  bool MayCommit() const override { return true; }
};

TEST(Saboteurs, CommittedAfterTheFirstPrepared) {
  ExpectFound("M4", [](SimOptions& options) {
    options.make_membership = [](MembershipOptions o) {
      return std::make_unique<CommitsEarly>(std::move(o));
    };
  });
}

// R1 broken alone does no harm to safety (incarnations keep epochs apart), but no group ever forms
// again after a router restart: M7.
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

TEST(Saboteurs, ANumberThatDoesNotExceedThePromises) {
  ExpectFound("M7", [](SimOptions& options) {
    options.make_membership = [](MembershipOptions o) {
      return std::make_unique<ForgetsReports>(std::move(o));
    };
  });
}

TEST(Saboteurs, TokensOfAnOldAttempt) {
  ExpectFound("M5", [](SimOptions& options) { options.skip_attempt_check = true; });
}

}  // namespace
}  // namespace shoal
