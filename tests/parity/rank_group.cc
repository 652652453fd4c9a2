#include "tests/parity/rank_group.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <optional>
#include <thread>

#include "runtime/base/check.h"
#include "runtime/base/status_macros.h"
#include "runtime/comm/loopback/loopback.h"
#include "runtime/model/config.h"
#include "runtime/model/deepseek_load.h"
#include "runtime/model/model.h"
#include "runtime/model/tensor_table.h"
#include "runtime/tensor/arena.h"

namespace shoal {
namespace {

// A rank's cache and its blocks, handed out in descending order so that no block stands where its
// index would put it.
class TestCache {
 public:
  TestCache(const GroupRun& run, const Model& model, Device& device) {
    for (const std::vector<TokenId>& ids : run.sequences) {
      const int32_t blocks = static_cast<int32_t>(ids.size() + kKvBlock - 1) / kKvBlock;
      tables_.emplace_back();
      for (int32_t b = 0; b < blocks; ++b) tables_.back().push_back(-1 - total_++);
    }
    for (auto& table : tables_) {
      for (int32_t& block : table) block += total_;
    }
    const int64_t lines = int64_t{model.layers()} * total_ * kKvBlock;
    const DType act = device.ops().activation_dtype();
    auto memory = device.Allocate(static_cast<size_t>(lines) * model.kv_line() * SizeOf(act));
    CHECK_OK(memory);
    memory_ = *std::move(memory);
    lines_ = Tensor::Of(memory_.data(), act, lines, model.kv_line());
    for (const auto& table : tables_) spans_.emplace_back(table);
  }

  Tensor lines() const { return lines_; }
  int64_t lines_per_layer() const { return int64_t{total_} * kKvBlock; }
  absl::Span<const absl::Span<const int32_t>> tables() const { return spans_; }

 private:
  int32_t total_ = 0;  // blocks
  std::vector<std::vector<int32_t>> tables_;
  std::vector<absl::Span<const int32_t>> spans_;
  Buffer memory_;
  Tensor lines_;
};

// One rank, from loading to its last pass.
class TestRank {
 public:
  TestRank(const GroupRun& run, const ExpertPlacement& placement, int rank, size_t passes)
      : run_(run), placement_(placement), rank_(rank), passes_(passes), device_(run.device()) {}

  absl::Status Run(const DeepSeekConfig& config, Communicator& comm) {
    LoadOptions options;
    options.mtp = run_.mtp;
    ASSIGN_OR_RETURN(const std::unique_ptr<LoadedModel> model,
                     LoadDeepSeek(config, run_.folder, placement_, rank_, *device_, options));
    Ops& real = device_->ops();
    const auto exchange = NewHostExchange(
        comm, placement_, {config.hidden, config.gate.top_k, real.activation_dtype()});
    const auto wrapped_ops = run_.wrap_ops ? run_.wrap_ops(real, placement_, rank_) : nullptr;
    const auto wrapped_exchange =
        run_.wrap_exchange ? run_.wrap_exchange(*exchange, placement_, rank_) : nullptr;
    TestCache cache(run_, *model, *device_);
    Arena arena(device_->arena_source());
    Pass pass{wrapped_ops ? *wrapped_ops : real,
              arena,
              wrapped_exchange ? wrapped_exchange.get() : exchange.get(),
              cache.lines(),
              cache.lines_per_layer(),
              run_.observer ? run_.observer(rank_) : nullptr};
    for (size_t i = 0; i < passes_; ++i) {
      const RankSchedule& mine = run_.schedules[rank_];
      RETURN_IF_ERROR(RunPass(*model, pass, cache, i < mine.size() ? mine[i] : PassPieces{}));
      RETURN_IF_ERROR(comm.status());
      arena.Reset();
    }
    return absl::OkStatus();
  }

  const LogitsAt& logits() const { return logits_; }
  const LogitsAt& drafts() const { return drafts_; }

 private:
  absl::Status RunPass(const LoadedModel& model, Pass& pass, const TestCache& cache,
                       const PassPieces& pieces) {
    std::vector<TokenId> ids;
    std::vector<RowPlace> places;
    std::vector<int32_t> wanted;
    for (const Piece& piece : pieces) {
      for (int p = piece.begin; p < piece.begin + piece.count; ++p) {
        const bool last = p + 1 == piece.begin + piece.count;
        if (last || !run_.last_row_only) wanted.push_back(static_cast<int32_t>(ids.size()));
        ids.push_back(run_.sequences[piece.sequence][p]);
        places.push_back({p, piece.sequence});
      }
    }
    Tensor hidden;
    pass.hidden = run_.mtp ? &hidden : nullptr;
    const Tensor logits = model.Forward(pass, {ids, places, cache.tables(), wanted});
    RETURN_IF_ERROR(Keep(pass, logits, places, wanted, logits_));
    return run_.mtp ? RunDraft(model, pass, cache, places, hidden) : absl::OkStatus();
  }

  // The rows of the pass whose next token is known, each at that token's place.
  absl::Status RunDraft(const LoadedModel& model, Pass& pass, const TestCache& cache,
                        const std::vector<RowPlace>& rows, Tensor hidden) {
    std::vector<TokenId> ids;
    std::vector<RowPlace> places;
    std::vector<int32_t> from, all;
    for (size_t t = 0; t < rows.size(); ++t) {
      const std::vector<TokenId>& sequence = run_.sequences[rows[t].table];
      const int32_t next = rows[t].position + 1;
      if (next == static_cast<int32_t>(sequence.size())) continue;
      from.push_back(static_cast<int32_t>(t));
      all.push_back(static_cast<int32_t>(ids.size()));
      ids.push_back(sequence[next]);
      places.push_back({next, rows[t].table});
    }
    const Tensor states =
        pass.arena.New(hidden.dtype, static_cast<int64_t>(from.size()), hidden.cols);
    pass.ops.GatherRows(hidden, from, states);
    pass.hidden = nullptr;
    const Tensor logits = model.draft()->Draft(pass, {ids, places, cache.tables(), all}, states);
    return Keep(pass, logits, places, all, drafts_);
  }

  // Downloads the logits of rows `wanted` of a pass, to stand under their places.
  absl::Status Keep(Pass& pass, Tensor logits, const std::vector<RowPlace>& places,
                    const std::vector<int32_t>& wanted, LogitsAt& to) const {
    RETURN_IF_ERROR(pass.ops.Finish());
    CHECK_EQ(logits.rows, static_cast<int64_t>(wanted.size()));
    std::vector<float> host(static_cast<size_t>(logits.rows * logits.cols));
    if (!host.empty()) {
      device_->Download(logits.data,
                        {reinterpret_cast<std::byte*>(host.data()), host.size() * sizeof(float)});
    }
    for (size_t i = 0; i < wanted.size(); ++i) {
      const RowPlace& place = places[wanted[i]];
      const auto begin = host.begin() + static_cast<int64_t>(i) * logits.cols;
      to[{place.table, place.position}].assign(begin, begin + logits.cols);
    }
    return absl::OkStatus();
  }

  const GroupRun& run_;
  const ExpertPlacement& placement_;
  const int rank_;
  const size_t passes_;
  const std::unique_ptr<Device> device_;
  LogitsAt logits_, drafts_;
};

struct GroupLogits {
  LogitsAt logits, drafts;
};

absl::StatusOr<GroupLogits> RunAll(const GroupRun& run) {
  ASSIGN_OR_RETURN(const DeepSeekConfig config, ReadDeepSeekConfig(run.folder));
  const int ranks = static_cast<int>(run.schedules.size());
  std::optional<ExpertPlacement> contiguous;
  if (run.placement == nullptr) {
    ASSIGN_OR_RETURN(contiguous, ExpertPlacement::Contiguous(PlacedLayers(config, run.mtp),
                                                             config.gate.experts, ranks));
  }
  const ExpertPlacement& placement = run.placement != nullptr ? *run.placement : *contiguous;
  size_t passes = 0;
  for (const RankSchedule& schedule : run.schedules) passes = std::max(passes, schedule.size());

  std::vector<LoopbackRank> group = LoopbackGroup(ranks);
  std::vector<std::unique_ptr<TestRank>> members;
  std::vector<absl::Status> results(static_cast<size_t>(ranks));
  std::vector<std::thread> threads;
  for (int r = 0; r < ranks; ++r) {
    members.push_back(std::make_unique<TestRank>(run, placement, r, passes));
  }
  for (int r = 0; r < ranks; ++r) {
    threads.emplace_back([&, r] {
      results[r] = members[r]->Run(config, *group[r].comm);
      if (!results[r].ok()) group[r].comm->Abort(results[r]);
    });
  }
  for (std::thread& thread : threads) thread.join();
  GroupLogits all;
  for (int r = 0; r < ranks; ++r) {
    RETURN_IF_ERROR(results[r]);
    all.logits.insert(members[r]->logits().begin(), members[r]->logits().end());
    all.drafts.insert(members[r]->drafts().begin(), members[r]->drafts().end());
  }
  return all;
}

}  // namespace

absl::StatusOr<LogitsAt> RunGroup(const GroupRun& run) {
  ASSIGN_OR_RETURN(GroupLogits all, RunAll(run));
  return std::move(all.logits);
}

absl::StatusOr<LogitsAt> RunDrafts(const GroupRun& run) {
  CHECK(run.mtp && !run.last_row_only);
  ASSIGN_OR_RETURN(GroupLogits all, RunAll(run));
  return std::move(all.drafts);
}

RankSchedule InOnePass(int sequence, int length) { return {{{sequence, 0, length}}}; }

RankSchedule InChunks(int sequence, const std::vector<int>& sizes) {
  RankSchedule schedule;
  int begin = 0;
  for (const int size : sizes) {
    schedule.push_back({{sequence, begin, size}});
    begin += size;
  }
  return schedule;
}

}  // namespace shoal
