#include "services/router/session/generation.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "services/common/error.h"

namespace shoal {
namespace {

using End = v1::GenerationTokens;

v1::FinishReason ReasonFor(End::End end) {
  switch (end) {
    case End::END_STOP:
      return v1::STOP;
    case End::END_LENGTH:
      return v1::LENGTH;
    case End::END_TIME_LIMIT:
      return v1::TIME_LIMIT;
    case End::END_CANCELLED:
      return v1::CANCELLED;
    default:
      return v1::FINISH_REASON_UNSPECIFIED;
  }
}

// A rank's error as its client's. A code that is none must not become OK: the status is never OK
// without a Finish.
absl::Status ErrorOf(const v1::GenerationTokens& tokens) {
  if (tokens.error_code() < 1 || tokens.error_code() > 16) {
    return absl::InternalError(absl::StrCat("a rank ended the generation with the error code ",
                                            tokens.error_code(), ", which is outside [1, 16]"));
  }
  const auto code = static_cast<absl::StatusCode>(tokens.error_code());
  if (code != absl::StatusCode::kUnavailable && code != absl::StatusCode::kResourceExhausted) {
    return absl::Status(code, tokens.error_message());
  }
  return RetryLater(code, "RANK_REFUSED", absl::Seconds(1), tokens.error_message());
}

// A worker answers well before the client's own deadline cuts the stream, so that what there is
// arrives with its Finish.
absl::Duration WorkerTime(absl::Duration left) {
  return left - std::min(left * 0.1, absl::Milliseconds(100));
}

}  // namespace

Generation::Generation(GenerationSpec spec, OutputText text, std::shared_ptr<Outbox> outbox,
                       const Clock& clock, RouterMetrics& metrics)
    : spec_(std::move(spec)),
      outbox_(std::move(outbox)),
      clock_(clock),
      metrics_(metrics),
      text_(std::move(text)) {}

v1::Submit Generation::NextSubmit(int32_t rank) {
  MutexLock lock(&mu_);
  rank_ = rank;
  ++attempt_;
  v1::Submit submit = spec_.submit;
  submit.set_generation(spec_.generation_id);
  submit.set_attempt(attempt_);
  submit.mutable_emitted()->Assign(emitted_.begin(), emitted_.end());
  if (spec_.deadline != absl::InfiniteFuture()) {
    const absl::Duration left = WorkerTime(spec_.deadline - clock_.Now());
    submit.set_deadline_millis(std::max<int64_t>(1, absl::ToInt64Milliseconds(left)));
  }
  return submit;
}

int32_t Generation::rank() const {
  MutexLock lock(&mu_);
  return rank_;
}

uint32_t Generation::attempt() const {
  MutexLock lock(&mu_);
  return attempt_;
}

bool Generation::has_first_token() const {
  MutexLock lock(&mu_);
  return first_token_ != absl::InfiniteFuture();
}

bool Generation::OnTokens(const v1::GenerationTokens& tokens) {
  MutexLock lock(&mu_);
  if (ended_) return true;
  if (tokens.attempt() != attempt_) return false;
  const int64_t expected = spec_.submit.prompt_size() + static_cast<int64_t>(emitted_.size());
  if (tokens.ids_size() > 0 && tokens.position() != expected) {
    EndLocked(absl::InternalError(absl::StrCat("rank ", rank_, " sent position ", tokens.position(),
                                               ", expected ", expected)),
              v1::FINISH_REASON_UNSPECIFIED);
    return true;
  }
  Events events;
  const bool first = emitted_.empty() && tokens.ids_size() > 0;
  if (first) events.push_back(StartedEvent());
  if (tokens.ids_size() > 0) MeasureLocked(tokens.ids_size());
  const int32_t reasoning = text_.reasoning_tokens();
  for (const TokenId id : tokens.ids()) AppendLocked(id, &events);
  const int32_t new_reasoning = text_.reasoning_tokens() - reasoning;
  metrics_.output_tokens_reasoning.Increment(new_reasoning);
  metrics_.output_tokens_text.Increment(tokens.ids_size() - new_reasoning);
  if (!PushLocked(std::move(events))) return true;
  if (tokens.end() != End::NOT_ENDED) FinishLocked(tokens);
  return ended_;
}

void Generation::Fail(absl::Status why) {
  MutexLock lock(&mu_);
  if (!ended_) EndLocked(std::move(why), v1::FINISH_REASON_UNSPECIFIED);
}

bool Generation::Discard() {
  MutexLock lock(&mu_);
  return !std::exchange(ended_, true);
}

void Generation::RequestCancel() {
  MutexLock lock(&mu_);
  cancel_requested_ = true;
}

bool Generation::unwanted() const {
  MutexLock lock(&mu_);
  return ended_ || cancel_requested_;
}

void Generation::AppendLocked(TokenId id, Events* events) {
  emitted_.push_back(id);
  if (id != spec_.end_token) text_.Push(id, events);
}

bool Generation::PushLocked(Events events) {
  for (v1::GenerateEvent& event : events) {
    if (outbox_->Push(std::move(event))) continue;
    EndLocked(RetryLater(absl::StatusCode::kResourceExhausted, "SLOW_READER", absl::Seconds(1),
                         "the client reads too slowly: too many output tokens wait for it"),
              v1::FINISH_REASON_UNSPECIFIED);
    return false;
  }
  return true;
}

void Generation::FinishLocked(const v1::GenerationTokens& tokens) {
  if (tokens.end() == End::END_ERROR) {
    return EndLocked(ErrorOf(tokens), v1::FINISH_REASON_UNSPECIFIED);
  }
  v1::FinishReason reason = ReasonFor(tokens.end());
  if (reason == v1::FINISH_REASON_UNSPECIFIED) {
    return EndLocked(
        absl::InternalError(absl::StrCat("rank ", rank_, " sent the unknown end ", tokens.end())),
        reason);
  }
  Events events;
  if (emitted_.empty()) events.push_back(StartedEvent());  // ended before its first token
  text_.Finish(&events);
  if (!PushLocked(std::move(events))) return;
  if (reason == v1::STOP && text_.tool_calls() > 0) reason = v1::TOOL_CALLS;
  Events last;
  last.push_back(FinishEventLocked(reason));
  if (PushLocked(std::move(last))) EndLocked(absl::OkStatus(), reason);
}

void Generation::EndLocked(absl::Status status, v1::FinishReason reason) {
  ended_ = true;
  metrics_.CountRequest(
      spec_.method, status.code(),
      reason == v1::FINISH_REASON_UNSPECIFIED ? "" : v1::FinishReason_Name(reason));
  metrics_.e2e_seconds.Observe(absl::ToDoubleSeconds(clock_.Now() - spec_.arrival));
  metrics_.request_prompt_tokens.Observe(spec_.submit.prompt_size());
  metrics_.request_output_tokens.Observe(static_cast<double>(emitted_.size()));
  outbox_->End(std::move(status));
}

void Generation::MeasureLocked(int64_t tokens) {
  const absl::Time now = clock_.Now();
  if (first_token_ == absl::InfiniteFuture()) {
    first_token_ = now;
    metrics_.ttft_seconds.Observe(absl::ToDoubleSeconds(now - spec_.arrival));
    metrics_.prompt_tokens.Increment(spec_.submit.prompt_size());
    metrics_.waiting.Decrement();
    metrics_.running.Increment();
  } else {
    metrics_.itl_seconds.Observe(absl::ToDoubleSeconds(now - last_token_) /
                                 static_cast<double>(tokens));
  }
  last_token_ = now;
}

v1::GenerateEvent Generation::StartedEvent() const {
  v1::GenerateEvent event;
  v1::Started* started = event.mutable_started();
  started->set_request_id(spec_.request_id);
  started->set_generation_id(spec_.generation_id);
  started->set_model(spec_.model);
  started->set_seed(spec_.submit.seed());
  started->set_prompt_tokens(spec_.submit.prompt_size());
  return event;
}

v1::GenerateEvent Generation::FinishEventLocked(v1::FinishReason reason) {
  v1::GenerateEvent event;
  v1::Finish* finish = event.mutable_finish();
  finish->set_reason(reason);
  v1::Usage* usage = finish->mutable_usage();
  usage->set_prompt_tokens(spec_.submit.prompt_size());
  usage->set_output_tokens(static_cast<int32_t>(emitted_.size()));
  usage->set_reasoning_tokens(text_.reasoning_tokens());
  v1::Timings* timings = finish->mutable_timings();
  timings->set_total_seconds(absl::ToDoubleSeconds(clock_.Now() - spec_.arrival));
  if (first_token_ != absl::InfiniteFuture()) {
    timings->set_ttft_seconds(absl::ToDoubleSeconds(first_token_ - spec_.arrival));
  }
  return event;
}

}  // namespace shoal
