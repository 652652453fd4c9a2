#include "runtime/engine/scheduler.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"

#include "runtime/base/check.h"

namespace shoal {

absl::Status Scheduler::Validate(const Options& options) {
  if (options.max_sequences <= 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("max_sequences is ", options.max_sequences, ", it must be positive"));
  }
  if (options.max_batch_tokens < options.max_sequences) {
    return absl::InvalidArgumentError(absl::StrCat("max_batch_tokens is ", options.max_batch_tokens,
                                                   ", it must be at least max_sequences, which is ",
                                                   options.max_sequences));
  }
  return absl::OkStatus();
}

Scheduler::Scheduler(const Options& options, BlockPool& pool) : options_(options), pool_(pool) {
  CHECK_OK(Validate(options));
}

void Scheduler::Add(Request request) {
  CHECK(!request.prompt.empty());
  CHECK(request.max_output_tokens > static_cast<int64_t>(request.emitted.size()));
  CHECK_LE(BlocksFor(Sequence::CachePositions(request)), pool_.total());
  const uint64_t number = next_number_++;
  const bool fresh = numbers_.emplace(request.key, number).second;
  CHECK(fresh) << "a live generation was added again";
  if (request.deadline != absl::InfiniteFuture()) {
    deadlines_.emplace(request.deadline, number);
  }
  sequences_.emplace(number, std::make_unique<Sequence>(number, std::move(request)));
  waiting_.insert(number);
}

void Scheduler::Cancel(const GenerationKey& key) {
  const auto it = numbers_.find(key);
  if (it == numbers_.end()) return;
  Sequence& sequence = *sequences_.at(it->second);
  End(sequence, Finished(sequence, FinishReason::kCancelled));
}

void Scheduler::FailAll(const absl::Status& error) {
  CHECK(!error.ok());
  std::vector<uint64_t> all(running_.begin(), running_.end());
  all.insert(all.end(), waiting_.begin(), waiting_.end());
  for (uint64_t number : all) {
    Sequence& sequence = *sequences_.at(number);
    StepOutput output = OutputOf(sequence);
    output.error = error;
    End(sequence, std::move(output));
  }
}

void Scheduler::EndLate(absl::Time now, absl::Duration step_estimate) {
  while (earliest_deadline() < now + step_estimate) {
    Sequence& sequence = *sequences_.at(deadlines_.begin()->second);
    End(sequence, Finished(sequence, FinishReason::kTimeLimit));
  }
}

const StepPlan& Scheduler::Next(absl::Time now, absl::Duration step_estimate) {
  CHECK(!in_flight_);
  EndLate(now, step_estimate);
  Admit();
  plan_.pieces.clear();
  plan_.rows = 0;
  for (uint64_t number : running_) {
    Sequence& sequence = *sequences_.at(number);
    if (sequence.pending() == 1) AddPiece(sequence, 1);
  }
  for (uint64_t number : running_) {
    const int64_t room = options_.max_batch_tokens - plan_.rows;
    if (room == 0) break;
    Sequence& sequence = *sequences_.at(number);
    if (sequence.pending() > 1) {
      AddPiece(sequence, std::min(sequence.pending(), room));
    }
  }
  in_flight_ = plan_.rows > 0;
  if (in_flight_) pool_.BeginPass();
  return plan_;
}

void Scheduler::Admit() {
  while (!waiting_.empty() && running() < options_.max_sequences) {
    Sequence& sequence = *sequences_.at(*waiting_.begin());
    std::optional<KvLease> lease =
        pool_.Reserve(BlocksFor(Sequence::CachePositions(sequence.request)));
    if (!lease.has_value()) return;
    sequence.lease = *std::move(lease);
    running_.insert(sequence.number);
    waiting_.erase(waiting_.begin());
  }
}

void Scheduler::AddPiece(Sequence& sequence, int64_t rows) {
  sequence.lease.Grow(sequence.cached + rows);
  plan_.pieces.push_back(
      {.sequence = sequence.number,
       .position = sequence.cached,
       .ids = absl::MakeConstSpan(sequence.tokens).subspan(sequence.cached, rows),
       .blocks = sequence.lease.blocks(),
       .samples = rows == sequence.pending(),
       .request = &sequence.request,
       .output = absl::MakeConstSpan(sequence.tokens).subspan(sequence.request.prompt.size())});
  plan_.rows += rows;
}

StepTally Scheduler::Commit(absl::Span<const absl::StatusOr<TokenId>> samples) {
  CHECK(in_flight_);
  const auto sampling =
      absl::c_count_if(plan_.pieces, [](const StepPlan::Piece& piece) { return piece.samples; });
  CHECK_EQ(static_cast<int64_t>(samples.size()), sampling);
  StepTally tally;
  size_t next_sample = 0;
  for (const StepPlan::Piece& piece : plan_.pieces) {
    const size_t sample = next_sample;
    if (piece.samples) ++next_sample;
    const auto it = sequences_.find(piece.sequence);
    if (it == sequences_.end()) continue;
    Sequence& sequence = *it->second;
    const auto prompt = static_cast<int64_t>(sequence.request.prompt.size());
    tally.prompt_tokens += std::max<int64_t>(0, std::min(piece.end(), prompt) - piece.position);
    sequence.cached = piece.end();
    if (!piece.samples) continue;
    if (samples[sample].ok()) ++tally.output_tokens;
    CommitSample(sequence, samples[sample]);
  }
  in_flight_ = false;
  pool_.EndPass();
  return tally;
}

void Scheduler::Drop() {
  CHECK(in_flight_);
  in_flight_ = false;
  pool_.EndPass();
}

void Scheduler::CommitSample(Sequence& sequence, const absl::StatusOr<TokenId>& sample) {
  StepOutput output = OutputOf(sequence);
  if (!sample.ok()) {
    output.error = sample.status();
    End(sequence, std::move(output));
    return;
  }
  sequence.tokens.push_back(*sample);
  output.ids.push_back(*sample);
  if (absl::c_linear_search(sequence.request.stop_tokens, *sample)) {
    output.finished = true;
    output.reason = FinishReason::kStop;
  } else if (sequence.outputs() >= sequence.request.max_output_tokens) {
    output.finished = true;
    output.reason = FinishReason::kLength;
  }
  if (output.finished) {
    End(sequence, std::move(output));
  } else {
    outputs_.push_back(std::move(output));
  }
}

void Scheduler::End(Sequence& sequence, StepOutput terminal) {
  outputs_.push_back(std::move(terminal));
  const uint64_t number = sequence.number;
  deadlines_.erase({sequence.request.deadline, number});
  numbers_.erase(sequence.request.key);
  waiting_.erase(number);
  running_.erase(number);
  sequences_.erase(number);  // and its lease
}

StepOutput Scheduler::OutputOf(const Sequence& sequence) {
  StepOutput output;
  output.key = sequence.request.key;
  output.position = sequence.length();
  return output;
}

StepOutput Scheduler::Finished(const Sequence& sequence, FinishReason reason) {
  StepOutput output = OutputOf(sequence);
  output.finished = true;
  output.reason = reason;
  return output;
}

std::vector<StepOutput> Scheduler::TakeOutputs() { return std::exchange(outputs_, {}); }

absl::Time Scheduler::earliest_deadline() const {
  return deadlines_.empty() ? absl::InfiniteFuture() : deadlines_.begin()->first;
}

absl::Status Scheduler::Audit() const {
  std::vector<const KvLease*> leases;
  for (const auto& [number, sequence] : sequences_) {
    leases.push_back(&sequence->lease);
  }
  return pool_.Audit(leases);
}

}  // namespace shoal
