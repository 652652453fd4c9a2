#include "runtime/engine/engine_loop.h"

#include <cstddef>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"

#include "runtime/base/check.h"
#include "runtime/base/status_macros.h"

namespace shoal {
namespace {

bool IsTerminal(const StepOutput& output) { return output.finished || !output.error.ok(); }

}  // namespace

EngineLoop::EngineLoop(const EngineOptions& options, const Parts& parts, FrontDesk& desk,
                       std::unique_ptr<KvCache> cache)
    : parts_(parts),
      desk_(desk),
      cache_(std::move(cache)),
      scheduler_(
          {.max_sequences = options.max_sequences, .max_batch_tokens = options.max_batch_tokens},
          cache_->pool()),
      arena_(parts.device.arena_source()),
      meter_(parts.clock, parts.metrics),
      logits_(parts.model.vocab()) {}

void EngineLoop::Run() {
  while (true) {
    FrontDesk::Work work = desk_.Next(scheduler_.earliest_deadline());
    Apply(std::move(work.commands));
    if (work.stop) break;
    if (work.group == nullptr) {
      // Sequences keep their KV and wait for a group, but not past deadlines.
      scheduler_.EndLate(parts_.clock.Now(), absl::ZeroDuration());
      Deliver();
      continue;
    }
    if (group_number_ != work.group_number) {
      group_number_ = work.group_number;
      meter_.JoinGroup(work.group->slot_experts);
    }
    const absl::Status status = Step(*work.group, work.draining);
    if (!status.ok()) desk_.GroupBroke(status);
  }
  Deliver();
}

void EngineLoop::Apply(std::vector<FrontDesk::Command> commands) {
  for (FrontDesk::Command& command : commands) {
    if (auto* request = std::get_if<Request>(&command)) {
      scheduler_.Add(std::move(*request));
    } else if (auto* cancel = std::get_if<FrontDesk::Cancel>(&command)) {
      scheduler_.Cancel(cancel->key);
    } else {
      scheduler_.FailAll(std::get<FrontDesk::FailAll>(command).error);
    }
  }
}

absl::Status EngineLoop::Step(Group& group, bool draining) {
  // The plan comes before the vote, so what the vote says is what will be run.
  const absl::Time begin = parts_.clock.Now();
  const StepPlan& plan = scheduler_.Next(begin, step_estimate_);
  Deliver();
  meter_.BeginAgree();
  const absl::StatusOr<bool> busy = Agree(group, plan, draining);
  if (!busy.ok()) {
    if (plan.rows > 0) scheduler_.Drop();
    return busy.status();
  }
  if (!*busy) {
    CHECK_EQ(scheduler_.live(), 0) << "live generations, but no rows";
    return group.agreement->Sleep();
  }
  RETURN_IF_ERROR(RunPass(group, plan));
  const absl::Duration took = parts_.clock.Now() - begin;
  step_estimate_ = steps_ == 1 ? took : step_estimate_ + (took - step_estimate_) / 8;
  return absl::OkStatus();
}

absl::StatusOr<bool> EngineLoop::Agree(Group& group, const StepPlan& plan, bool draining) {
  const Vote mine = {.rows = static_cast<uint32_t>(plan.rows),
                     .pending = static_cast<uint32_t>(scheduler_.live()),
                     .placement_version = group.placement_version,
                     .draining = draining};
  ASSIGN_OR_RETURN(const std::vector<Vote> votes, group.agreement->Exchange(mine));
  bool busy = false;
  for (size_t rank = 0; rank < votes.size(); ++rank) {
    busy |= votes[rank].rows > 0;
    if (votes[rank].placement_version == mine.placement_version) continue;
    return absl::InternalError(
        absl::StrCat("rank ", rank, " has placement version ", votes[rank].placement_version,
                     ", rank ", group.agreement->rank(), " has ", mine.placement_version));
  }
  return busy;
}

absl::Status EngineLoop::RunPass(Group& group, const StepPlan& plan) {
  meter_.BeginPass();
  const absl::StatusOr<Tensor> logits = Compute(group, plan);
  meter_.CountTraffic(group.comm->traffic());
  if (!logits.ok()) {
    if (plan.rows > 0) scheduler_.Drop();
    return logits.status();
  }
  meter_.BeginSample();
  if (plan.rows > 0) {
    const StepTally tally = scheduler_.Commit(SampleAll(plan, *logits));
    parts_.metrics.prompt_tokens.Increment(static_cast<double>(tally.prompt_tokens));
    parts_.metrics.output_tokens.Increment(static_cast<double>(tally.output_tokens));
  }
  ++steps_;
  meter_.Commit(plan.rows);
  DCHECK(scheduler_.Audit().ok());
  Deliver();
  return absl::OkStatus();
}

absl::StatusOr<Tensor> EngineLoop::Compute(Group& group, const StepPlan& plan) {
  Ops& ops = parts_.device.ops();
  arena_.Reset();
  Pass pass{.ops = ops,
            .arena = arena_,
            .exchange = group.exchange.get(),
            .kv_lines = cache_->lines(),
            .kv_lines_per_layer = cache_->lines_per_layer(),
            .observer = &meter_};
  const Tensor logits = parts_.model.Forward(pass, batch_.Pack(plan));
  const absl::Status device = ops.Finish();
  // The device is quiet now. What it computed from a broken exchange is of no
  // worth, so the group's error comes first. Of the agreement nothing is asked:
  // a peer lost after its last bytes came does not spoil them.
  RETURN_IF_ERROR(group.comm->status());
  if (!device.ok()) {
    // The peers cannot know; without this they would wait for their deadline.
    group.comm->Abort(device);
    group.agreement->Abort(device);
    return device;
  }
  return logits;
}

std::vector<absl::StatusOr<TokenId>> EngineLoop::SampleAll(const StepPlan& plan, Tensor logits) {
  std::vector<absl::StatusOr<TokenId>> samples;
  for (const StepPlan::Piece& piece : plan.pieces) {
    if (!piece.samples) continue;
    const auto row = static_cast<int64_t>(samples.size());
    CHECK_LT(row, logits.rows);
    CHECK_EQ(logits.cols, static_cast<int64_t>(logits_.size()));
    const absl::Span<float> host = absl::MakeSpan(logits_);
    parts_.device.Download(
        reinterpret_cast<const std::byte*>(logits.At<float>(row)),
        {reinterpret_cast<std::byte*>(host.data()), host.size() * sizeof(float)});
    const Request& request = *piece.request;
    const absl::StatusOr<SampledToken> token = Sample({.logits = host,
                                                       .options = request.sampling,
                                                       .prompt = request.prompt,
                                                       .output = piece.output,
                                                       .choice = request.choice,
                                                       .stop_tokens = request.stop_tokens},
                                                      sampler_scratch_);
    if (token.ok()) {
      samples.push_back(token->id);
    } else {
      samples.push_back(token.status());
    }
  }
  return samples;
}

void EngineLoop::Deliver() {
  std::vector<StepOutput> outputs = scheduler_.TakeOutputs();
  std::vector<GenerationKey> ended;
  for (const StepOutput& output : outputs) {
    if (IsTerminal(output)) ended.push_back(output.key);
  }
  const BlockPool& pool = cache_->pool();
  parts_.metrics.running.Set(scheduler_.running());
  parts_.metrics.waiting.Set(scheduler_.waiting());
  parts_.metrics.kv_free.Set(static_cast<double>(pool.free()));
  parts_.metrics.kv_used.Set(static_cast<double>(pool.used()));
  if (!outputs.empty()) parts_.sink.OnStep(steps_, std::move(outputs));
  EngineLoad load;
  load.running = scheduler_.running();
  load.kv_blocks_free = pool.available();
  load.steps = steps_;
  desk_.Publish(load, ended);
}

}  // namespace shoal
