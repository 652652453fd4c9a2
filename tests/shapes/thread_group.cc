#include "tests/shapes/thread_group.h"

#include <memory>
#include <thread>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

#include "runtime/base/status_macros.h"
#include "runtime/comm/loopback/loopback.h"
#include "tests/shapes/shape_rank.h"

namespace shoal {
namespace {

// The workloads, one after the other, on one rank.
struct RankRun {
  absl::Status Run(const std::vector<Workload>& workloads, Communicator& comm) {
    for (const Workload& workload : workloads) {
      RETURN_IF_ERROR(rank->Prepare(workload, comm));
      const absl::Time start = absl::Now();
      StepCost cost;
      RETURN_IF_ERROR(rank->Step(&cost));
      seconds.push_back(absl::ToDoubleSeconds(absl::Now() - start));
      logits.push_back(rank->Logits());
    }
    return absl::OkStatus();
  }
  std::unique_ptr<ShapeRank> rank;
  std::vector<std::map<int, std::vector<float>>> logits;
  std::vector<double> seconds;
  absl::Status status;
};

}  // namespace

absl::StatusOr<GroupResult> RunThreadGroup(const std::string& folder, int ranks,
                                           const std::vector<Workload>& workloads) {
  GroupResult result;
  std::vector<RankRun> runs(static_cast<size_t>(ranks));
  for (int r = 0; r < ranks; ++r) {
    ASSIGN_OR_RETURN(runs[r].rank, ShapeRank::Load(folder, ranks, r, 1));
    result.bytes_read.push_back(runs[r].rank->model().weight_bytes_read());
  }
  std::vector<LoopbackRank> group = LoopbackGroup(ranks);
  std::vector<std::thread> threads;
  for (int r = 0; r < ranks; ++r) {
    threads.emplace_back([&, r] {
      runs[r].status = runs[r].Run(workloads, *group[r].comm);
      if (!runs[r].status.ok()) group[r].comm->Abort(runs[r].status);
    });
  }
  for (std::thread& thread : threads) thread.join();
  result.logits.resize(workloads.size());
  for (RankRun& run : runs) {
    RETURN_IF_ERROR(run.status);
    for (size_t i = 0; i < workloads.size(); ++i) {
      result.logits[i].insert(run.logits[i].begin(), run.logits[i].end());
    }
  }
  result.seconds = runs[0].seconds;
  return result;
}

}  // namespace shoal
