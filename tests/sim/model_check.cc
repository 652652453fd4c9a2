// The model checker by hand: deeper than a test has time for, or one history again.

#include <cstdio>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

#include "tests/sim/explorer.h"

ABSL_FLAG(int, routers, 2, "routers: 1 or 2");
ABSL_FLAG(int, group_size, 2, "ranks of the group; there are three workers");
ABSL_FLAG(int, faults, 1, "words lost, repeated, overtaken; streams, meshes, builds broken");
ABSL_FLAG(int, worker_restarts, 1, "at once, or in order after SIGTERM");
ABSL_FLAG(int, router_restarts, 1, "with a higher or a lower incarnation");
ABSL_FLAG(int, leases, 1, "that pass from router to router");
ABSL_FLAG(int, time, 1, "clock steps of routers and leases that run out at workers");
ABSL_FLAG(bool, serving, false, "start with a group that serves");
ABSL_FLAG(uint32_t, settle_every, 1, "M7 from every n-th state; 0: from none");
ABSL_FLAG(uint32_t, states, 3'000'000, "stop there");
ABSL_FLAG(absl::Duration, limit, absl::Minutes(10), "stop after so long");
ABSL_FLAG(std::string, replay, "", "a history's choices, as printed with it");

namespace shoal {
namespace {

void Print(const ExploreResult& result) {
  for (size_t i = 0; i < result.history.size(); ++i) {
    std::printf("%3zu. %s\n", i + 1, result.history[i].c_str());
  }
  if (!result.violation.empty()) std::printf("  => %s\n", result.violation.c_str());
  if (!result.choices.empty()) {
    std::printf("     --replay=%s\n", absl::StrJoin(result.choices, ",").c_str());
  }
}

int Main() {
  ExploreOptions options;
  options.world.routers = absl::GetFlag(FLAGS_routers);
  options.world.group_size = absl::GetFlag(FLAGS_group_size);
  options.world.budget = {static_cast<uint8_t>(absl::GetFlag(FLAGS_faults)),
                          static_cast<uint8_t>(absl::GetFlag(FLAGS_worker_restarts)),
                          static_cast<uint8_t>(absl::GetFlag(FLAGS_router_restarts)),
                          static_cast<uint8_t>(absl::GetFlag(FLAGS_leases)),
                          static_cast<uint8_t>(absl::GetFlag(FLAGS_time))};
  if (absl::GetFlag(FLAGS_serving)) options.world.start = WorldOptions::Start::kServing;
  options.settle_every = absl::GetFlag(FLAGS_settle_every);
  options.max_states = absl::GetFlag(FLAGS_states);
  options.max_time = absl::GetFlag(FLAGS_limit);
  if (const std::string replay = absl::GetFlag(FLAGS_replay); !replay.empty()) {
    std::vector<int> choices;
    for (const auto text : absl::StrSplit(replay, ',')) {
      if (!absl::SimpleAtoi(text, &choices.emplace_back())) return 2;
    }
    Print(Replay(options.world, choices));
    return 0;
  }
  const ExploreResult result = Explore(options);
  std::printf("%s\n", result.Figures().c_str());
  Print(result);
  return result.violation.empty() ? 0 : 1;
}

}  // namespace
}  // namespace shoal

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  return shoal::Main();
}
