// Thousands of seeded histories of a whole cluster with its engines. A seed that fails is replayed:
//   bazel run //tests/sim:engine_sim -- --seed=N

#include "tests/sim/engine_sim.h"

#include <cstdio>
#include <string>

#include "absl/time/clock.h"
#include "gtest/gtest.h"

namespace shoal {
namespace {

constexpr uint64_t kSeeds = 10'000;

TEST(EngineSim, InvariantsHold) {
  const absl::Time begin = absl::Now();
  EngineSimResult sum;
  int seeds = 0;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed, ++seeds) {
    const EngineSimResult result = EngineSim(SimCase(seed)).Run();
    ASSERT_EQ(result.violation, "")
        << "replay: bazel run //tests/sim:engine_sim -- --seed=" << seed;
    sum.asked += result.asked;
    sum.finished += result.finished;
    sum.failed += result.failed;
    sum.groups += result.groups;
    sum.faults += result.faults;
    sum.tokens += result.tokens;
    sum.passes += result.passes;
    sum.switches += result.switches;
  }
  const double seconds = absl::ToDoubleSeconds(absl::Now() - begin);
  std::printf(
      "%d seeds: %d generations asked, %d finished, %d ended with a typed error, the rest refused "
      "or cut by a router's death; %lld tokens, %llu passes (in the processes that lived to the "
      "end), %d groups served, %d faults, %llu thread switches; %.1f s, %.0f seeds/s\n",
      seeds, sum.asked, sum.finished, sum.failed, static_cast<long long>(sum.tokens),
      static_cast<unsigned long long>(sum.passes), sum.groups, sum.faults,
      static_cast<unsigned long long>(sum.switches), seconds, seeds / seconds);
  EXPECT_GT(sum.finished, 2 * seeds);
  EXPECT_GT(sum.failed, seeds / 10);
  EXPECT_GT(sum.groups, 2 * seeds);
  EXPECT_GT(sum.faults, 2 * seeds);
}

TEST(EngineSim, ASeedIsAHistory) {
  for (const uint64_t seed : {3, 4, 5, 600}) {
    const EngineSimResult a = EngineSim(SimCase(seed)).Run(), b = EngineSim(SimCase(seed)).Run();
    EXPECT_EQ(a.digest, b.digest) << seed;
    EXPECT_EQ(a.switches, b.switches) << seed;
  }
  EXPECT_NE(EngineSim(SimCase(3)).Run().digest, EngineSim(SimCase(4)).Run().digest);
}

// Runs seeds until one shows the invariant broken.
void ExpectFound(const std::string& name, const std::string& part,
                 void (*sabotage)(EngineSimOptions&)) {
  std::string other;
  for (uint64_t seed = 1; seed <= 500; ++seed) {
    EngineSimOptions options = SimCase(seed);
    sabotage(options);
    const EngineSimResult result = EngineSim(options).Run();
    if (result.violation.find(part) == std::string::npos) {
      if (!result.violation.empty()) other = result.violation;
      continue;
    }
    std::printf("SABOTEUR %s: found at seed %d: %s\n", name.c_str(), static_cast<int>(seed),
                result.violation.c_str());
    return;
  }
  FAIL() << name << " was never found; seen was: " << other;
}

TEST(EngineSaboteurs, ABlockGivenAwayBeforeTheDeviceIsQuiet) {
  ExpectFound("M6: Finish returns before the device is quiet", "differs from the reference",
              [](EngineSimOptions& options) { options.finish_returns_early = true; });
}

TEST(EngineSaboteurs, AQueryOfDeathResubmitted) {
  ExpectFound("M8: what a rank died with is resubmitted", "M8",
              [](EngineSimOptions& options) { options.router.resubmit = true; });
}

TEST(EngineSaboteurs, TokensWithoutAFence) {
  ExpectFound("R4: tokens that come twice count", "ended with INTERNAL",
              [](EngineSimOptions& options) { options.router.no_fence = true; });
}

}  // namespace
}  // namespace shoal
