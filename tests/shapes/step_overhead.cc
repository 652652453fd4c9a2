// The step of a group of processes beside that of one process with all the experts: the same rows,
// the same model, the same number of cores, results equal bit for bit before anything is timed.
//
//   step_overhead --model=DIR [--ranks=16] [--decode=16,64,256] [--prefill=512] [--turns=7]
#include <algorithm>
#include <cstdio>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/strings/numbers.h"

#include "runtime/base/check.h"
#include "tests/shapes/process_group.h"
#include "tests/shapes/workload.h"

ABSL_FLAG(std::string, model, "", "folder of a checkpoint");
ABSL_FLAG(int32_t, ranks, 16, "processes of the group, one thread each");
ABSL_FLAG(std::vector<std::string>, decode, std::vector<std::string>({"16", "64", "256"}),
          "rows of the group, each of a sequence of its own, at position 63");
ABSL_FLAG(std::vector<std::string>, prefill, std::vector<std::string>({"512", "2048"}),
          "rows of the group, in one prompt per rank");
ABSL_FLAG(int32_t, turns, 7, "turns of each; medians are printed");

namespace shoal {
namespace {

constexpr double kTurnSeconds = 0.25;  // about

double Median(const std::vector<GroupStep>& turns,
              const std::function<double(const GroupStep&)>& value) {
  std::vector<double> values;
  for (const GroupStep& turn : turns) values.push_back(value(turn));
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

// Medians of a side's turns, in milliseconds; of processor time what falls to one of `cores`.
struct Side {
  Side(const std::vector<GroupStep>& turns, int cores) {
    const auto per_core = [&](const std::function<double(const GroupStep&)>& value) {
      return 1e3 * Median(turns, value) / cores;
    };
    wall = 1e3 * Median(turns, [](const GroupStep& t) { return t.wall; });
    routed = per_core([](const GroupStep& t) { return t.cost.routed; });
    exchange = per_core([](const GroupStep& t) { return t.cost.exchange; });
    agreement = per_core([](const GroupStep& t) { return t.agreement; });
    replicated =
        per_core([](const GroupStep& t) { return t.cost.cpu - t.cost.routed - t.cost.exchange; });
    idle = wall - routed - exchange - agreement - replicated;
  }
  double wall, replicated, routed, exchange, agreement, idle;
};

void Compare(const char* kind, const Workload& workload, ProcessGroup& one, ProcessGroup& group) {
  const GroupStep first = one.Run(workload, 1);
  CHECK(first.digests == group.Run(workload, 1).digests) << "the two differ in their logits";
  CHECK_EQ(static_cast<int>(first.digests.size()), workload.sequences);
  const int steps = std::clamp(static_cast<int>(kTurnSeconds / first.wall), 1, 50);
  const int turns = absl::GetFlag(FLAGS_turns);
  std::vector<GroupStep> alone, together;
  for (int turn = 0; turn < turns; ++turn) {
    alone.push_back(one.Run(workload, steps));
    together.push_back(group.Run(workload, steps));
  }
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  const Side a(alone, cores), b(together, cores);
  const auto share = [&](double more) { return 100 * more / a.wall; };
  std::printf(
      "| %s | %lld | %.2f | %.2f | %+.1f%% | %+.1f%% | %+.1f%% | %+.1f%% | %+.1f%% | %+.1f%% |\n",
      kind, static_cast<long long>(workload.total_rows()), a.wall, b.wall, share(b.wall - a.wall),
      share(b.replicated - a.replicated), share(b.routed - a.routed),
      share(b.exchange - a.exchange), share(b.agreement - a.agreement), share(b.idle - a.idle));
  std::fflush(stdout);
}

int RowsOf(const std::string& text) {
  int rows = 0;
  CHECK(absl::SimpleAtoi(text, &rows) && rows > 0) << "rows are \"" << text << "\"";
  return rows;
}

void Run() {
  const std::string folder = absl::GetFlag(FLAGS_model);
  const int ranks = absl::GetFlag(FLAGS_ranks);
  CHECK(!folder.empty() && ranks > 1) << "needs --model, and --ranks of at least 2";
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  ProcessGroup one(folder, 1, cores);
  const int64_t one_bytes = one.WaitLoaded();
  ProcessGroup group(folder, ranks, 1);
  const int64_t group_bytes = group.WaitLoaded();
  std::printf(
      "%d cores; one process with %d threads holds %.2f GB, %d with one thread each %.2f GB\n",
      cores, cores, 1e-9 * static_cast<double>(one_bytes), ranks,
      1e-9 * static_cast<double>(group_bytes));
  std::printf(
      "the parts of the overhead, in shares of one process's step: work on replicated weights, "
      "routed experts, exchange, agreement, cores idle\n\n"
      "| step | rows | one, ms | %d, ms | overhead | replicated | routed | exchange | "
      "agreement | idle |\n|---|---|---|---|---|---|---|---|---|---|\n",
      ranks);
  for (const std::string& rows : absl::GetFlag(FLAGS_decode)) {
    Compare("decode", {RowsOf(rows), 1, 63}, one, group);
  }
  for (const std::string& rows : absl::GetFlag(FLAGS_prefill)) {
    Compare("prefill", {ranks, RowsOf(rows) / ranks, 0}, one, group);
  }
}

}  // namespace
}  // namespace shoal

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  shoal::Run();
  return 0;
}
