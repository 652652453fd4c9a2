// Breadth first through all worlds, so that the first violation found is a shortest one.

#ifndef SHOAL_TESTS_SIM_EXPLORER_H_
#define SHOAL_TESTS_SIM_EXPLORER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"

#include "tests/sim/checked_world.h"

namespace shoal {

struct ExploreOptions {
  WorldOptions world;
  uint32_t max_states = 300'000;
  absl::Duration max_time = absl::InfiniteDuration();  // of the wall; what it cuts differs by run
  // M7 from every n-th world, with each router in turn as the one that stays; 0: not at all.
  uint32_t settle_every = 1;
};

struct ExploreResult {
  std::string violation;             // the first, names the invariant; empty: none
  std::vector<std::string> history;  // the shortest way to it, one event a line
  std::vector<int> choices;          // the same for Replay()
  uint32_t states = 0;
  uint64_t transitions = 0;
  int depth = 0;          // all worlds up to it were seen
  int deepest = 0;        // of any world seen
  uint32_t frontier = 0;  // seen, what comes after them not; 0: the budget's every history was
  uint64_t settled = 0;   // worlds from which a group came to serve
  size_t router_states = 0, worker_states = 0, digest_checks = 0;
  double seconds = 0;

  std::string Figures() const;
};

ExploreResult Explore(const ExploreOptions& options);

// The events that `choices` stand for, and the violation the last one leads to.
ExploreResult Replay(const WorldOptions& options, const std::vector<int>& choices);

}  // namespace shoal

#endif  // SHOAL_TESTS_SIM_EXPLORER_H_
