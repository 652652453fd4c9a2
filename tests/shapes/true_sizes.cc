// A checkpoint of true widths: how fast ranks load their shares beside what the same files give to
// plain reads in the same run, and whether groups of several sizes compute the same bits.
//
//   true_sizes --model=DIR [--load_ranks=16] [--groups=1,4]
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/strings/numbers.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "absl/types/span.h"

#include "runtime/base/check.h"
#include "runtime/model/config.h"
#include "runtime/model/shard_plan.h"
#include "runtime/model/tensor_table.h"
#include "runtime/weights/checkpoint.h"
#include "tests/shapes/shape_rank.h"
#include "tests/shapes/thread_group.h"
#include "tests/shapes/workload.h"

ABSL_FLAG(std::string, model, "", "folder of a checkpoint");
ABSL_FLAG(int32_t, load_ranks, 16,
          "ranks of the group whose shares are loaded: the first and the last");
ABSL_FLAG(std::vector<std::string>, groups, std::vector<std::string>({"1", "4"}),
          "numbers of ranks, as threads, whose logits are compared");

namespace shoal {
namespace {

constexpr size_t kReadBytes = size_t{16} << 20;  // as a run of the loader
constexpr int kTurns = 3;

// Seconds to read `bytes` of the checkpoint's files from their beginning into one buffer.
double ReadPlainly(const Checkpoint& checkpoint, int64_t bytes) {
  std::vector<std::byte> buffer(kReadBytes);
  const absl::Time start = absl::Now();
  for (int32_t shard = 0; shard < checkpoint.shards() && bytes > 0; ++shard) {
    const InputFile& file = checkpoint.file(shard);
    for (uint64_t at = 0; at < file.size() && bytes > 0; at += kReadBytes) {
      const uint64_t n = std::min<uint64_t>({kReadBytes, file.size() - at, uint64_t(bytes)});
      CHECK_OK(file.Read(at, absl::MakeSpan(buffer).first(n)));
      bytes -= static_cast<int64_t>(n);
    }
  }
  return absl::ToDoubleSeconds(absl::Now() - start);
}

void MeasureLoading(const std::string& folder, const ShardPlan& plan, int rank) {
  const auto checkpoint = Checkpoint::Open(folder);
  CHECK_OK(checkpoint);
  const int ranks = static_cast<int>(plan.ranks.size());
  const int64_t bytes = plan.ranks[rank].bytes();
  std::vector<double> plain, load;
  for (int turn = 0; turn <= kTurns; ++turn) {  // the first warms the page cache
    const double read = ReadPlainly(*checkpoint, bytes);
    const absl::Time start = absl::Now();
    const auto loaded = ShapeRank::Load(folder, ranks, rank, 1);
    const double took = absl::ToDoubleSeconds(absl::Now() - start);
    CHECK_OK(loaded);
    CHECK_EQ((*loaded)->model().weight_bytes_read(), bytes) << "not what the plan says";
    if (turn > 0) plain.push_back(read), load.push_back(took);
  }
  std::sort(plain.begin(), plain.end());
  std::sort(load.begin(), load.end());
  const double gb = 1e-9 * static_cast<double>(bytes), a = load[kTurns / 2], b = plain[kTurns / 2];
  std::printf("| %d of %d | %.3f | %.2f | %.2f | %.0f%% |\n", rank, ranks, gb, gb / a, gb / b,
              100 * b / a);
  std::fflush(stdout);
}

void CompareGroups(const std::string& folder) {
  const std::vector<Workload> workloads = {{16, 1, 1000}, {64, 1, 200}, {4, 128, 0}};
  GroupResult first;
  std::printf(
      "\n| ranks (threads) | 16 rows at 1,000, ms | 64 rows at 200, ms | 4 prompts of 128, ms "
      "| logits |\n|---|---|---|---|---|\n");
  for (const std::string& text : absl::GetFlag(FLAGS_groups)) {
    int ranks = 0;
    CHECK(absl::SimpleAtoi(text, &ranks)) << "--groups holds \"" << text << "\"";
    auto result = RunThreadGroup(folder, ranks, workloads);
    CHECK_OK(result);
    if (first.logits.empty()) first = *result;
    CHECK(result->logits == first.logits) << ranks << " ranks compute other bits";
    std::printf("| %d | %.1f | %.1f | %.1f | equal, bit for bit |\n", ranks,
                1e3 * result->seconds[0], 1e3 * result->seconds[1], 1e3 * result->seconds[2]);
    std::fflush(stdout);
  }
}

void Run() {
  const std::string folder = absl::GetFlag(FLAGS_model);
  CHECK(!folder.empty()) << "needs --model";
  const auto config = ReadDeepSeekConfig(folder);
  CHECK_OK(config);
  const int ranks = absl::GetFlag(FLAGS_load_ranks);
  const auto placement = PlaceEvenly(*config, {.ranks = ranks});
  CHECK_OK(placement);
  const ShardPlan plan = PlanShards(DeepSeekTensorTable(*config), *placement);
  std::printf(
      "%s\nfiles in the page cache; one thread; bytes read are the plan's\n\n"
      "| rank | GB | loading, GB/s | plain reads, GB/s | share |\n|---|---|---|---|---|\n",
      plan.ToString().c_str());
  for (const int rank : {0, ranks - 1}) MeasureLoading(folder, plan, rank);
  CompareGroups(folder);
}

}  // namespace
}  // namespace shoal

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  shoal::Run();
  return 0;
}
