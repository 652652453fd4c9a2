#include "tools/loadgen/generate_stream.h"

#include <chrono>
#include <utility>

#include "services/common/error.h"
#include "tools/loadgen/seeded_random.h"

namespace shoal::loadgen {
namespace {

StreamChecker::Expected ExpectedOf(const Workload& workload, const PlannedRequest& planned) {
  StreamChecker::Expected expected = {.max_output_tokens = planned.output_tokens,
                                      .seed = planned.seed,
                                      .vocab_size = workload.model().vocab_size(),
                                      .deadline = workload.spec().deadline > absl::ZeroDuration()};
  if (!workload.spec().text_prompts) expected.prompt_tokens = planned.prompt_tokens;
  return expected;
}

const v1::TextDelta* DeltaOf(const v1::GenerateEvent& event) {
  if (event.has_text_delta()) return &event.text_delta();
  if (event.has_reasoning_delta()) return &event.reasoning_delta();
  return nullptr;
}

}  // namespace

GenerateStream::GenerateStream(const Workload& workload, int64_t index, const Clock& clock,
                               StreamHost& host)
    : planned_(workload.At(index)),
      clock_(clock),
      host_(host),
      deadline_(workload.spec().deadline),
      request_(workload.RequestFor(planned_)),
      checker_(ExpectedOf(workload, planned_)) {
  record_.index = index;
  record_.disturbed = planned_.disturbed();
}

void GenerateStream::Begin(v1::Inference::Stub& stub, absl::Time intended) {
  record_.intended = intended;
  record_.started = clock_.Now();
  if (deadline_ > absl::ZeroDuration()) {
    context_.set_deadline(std::chrono::system_clock::now() + absl::ToChronoNanoseconds(deadline_));
  }
  stub.async()->Generate(&context_, &request_, this);
  // A slow reader reads from outside gRPC's callbacks.
  if (planned_.tokens_per_second.has_value()) AddHold();
  CancelIfPlanned();
  StartRead(&event_);
  StartCall();
}

void GenerateStream::Resume() { StartRead(&event_); }

void GenerateStream::GiveUp() {
  given_up_ = true;
  context_.TryCancel();
}

void GenerateStream::OnReadDone(bool ok) {
  if (!ok) {
    if (planned_.tokens_per_second.has_value()) RemoveHold();
    return;
  }
  checker_.OnEvent(event_);
  int64_t tokens = 0;
  if (const v1::TextDelta* delta = DeltaOf(event_)) {
    for (const int32_t id : delta->token_ids()) {
      record_.output_hash = MixBits(record_.output_hash + static_cast<uint32_t>(id) + 1);
    }
    tokens = delta->token_ids_size();
    Measure(tokens);
  } else if (event_.has_finish()) {
    record_.finish = event_.finish().reason();
    record_.usage = event_.finish().usage();
  }
  CancelIfPlanned();
  ReadOn(tokens);
}

void GenerateStream::Measure(int64_t tokens) {
  const absl::Time now = clock_.Now();
  if (record_.first_delta == absl::InfiniteFuture()) {
    record_.first_delta = now;
    record_.first_delta_tokens = tokens;
  } else {
    record_.gaps_seconds.push_back(
        static_cast<float>(absl::ToDoubleSeconds(now - record_.last_delta)));
  }
  record_.last_delta = now;
  record_.delta_tokens += tokens;
}

void GenerateStream::CancelIfPlanned() {
  const bool ended = record_.finish != v1::FINISH_REASON_UNSPECIFIED;
  if (!planned_.cancel_after.has_value() || record_.cancelled || ended) return;
  if (record_.delta_tokens < *planned_.cancel_after) return;
  record_.cancelled = true;
  context_.TryCancel();
}

void GenerateStream::ReadOn(int64_t tokens) {
  const bool slow = planned_.tokens_per_second.has_value() && tokens > 0 && !record_.cancelled;
  if (!slow) return StartRead(&event_);
  const double seconds = static_cast<double>(tokens) / *planned_.tokens_per_second;
  host_.WakeAt(clock_.Now() + absl::Seconds(seconds), *this);
}

void GenerateStream::OnDone(const grpc::Status& status) {
  record_.ended = clock_.Now();
  record_.status = FromGrpc(status);
  checker_.OnStatus(record_.status, record_.cancelled || given_up_);
  record_.hung = given_up_ && !record_.status.ok();
  record_.violation = checker_.violation();
  host_.OnEnded(std::unique_ptr<GenerateStream>(this));
}

}  // namespace shoal::loadgen
