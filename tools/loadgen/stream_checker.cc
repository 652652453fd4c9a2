#include "tools/loadgen/stream_checker.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace shoal::loadgen {

void StreamChecker::Fail(std::string what) {
  if (violation_.empty()) violation_ = std::move(what);
}

void StreamChecker::OnEvent(const v1::GenerateEvent& event) {
  if (finished_) Fail(absl::StrCat("an event, seq ", event.seq(), ", after Finish"));
  if (event.seq() != next_seq_) {
    Fail(absl::StrCat("seq ", event.seq(), ", expected ", next_seq_));
  }
  next_seq_ = event.seq() + 1;
  if (!prompt_tokens_.has_value() && !event.has_started()) {
    Fail(absl::StrCat("event ", event.seq(), " is there before Started"));
  }
  switch (event.event_case()) {
    case v1::GenerateEvent::kStarted:
      return OnStarted(event.started());
    case v1::GenerateEvent::kReasoningDelta:
      return OnDelta(event.reasoning_delta());
    case v1::GenerateEvent::kTextDelta:
      return OnDelta(event.text_delta());
    case v1::GenerateEvent::kFinish:
      return OnFinish(event.finish());
    case v1::GenerateEvent::kToolCallDelta:
      return Fail("a tool call in Generate, whose output is text");
    default:
      return Fail(absl::StrCat("event ", event.seq(), " is of no known kind"));
  }
}

void StreamChecker::OnStarted(const v1::Started& started) {
  if (prompt_tokens_.has_value()) Fail("Started twice");
  prompt_tokens_ = started.prompt_tokens();
  if (started.seed() != expected_.seed) {
    Fail(absl::StrCat("Started.seed is ", started.seed(), ", asked for ", expected_.seed));
  }
  if (expected_.prompt_tokens.value_or(*prompt_tokens_) != *prompt_tokens_) {
    Fail(absl::StrCat("Started.prompt_tokens is ", *prompt_tokens_, ", sent were ",
                      *expected_.prompt_tokens));
  }
}

void StreamChecker::OnDelta(const v1::TextDelta& delta) {
  delta_tokens_ += delta.token_ids_size();
  if (delta_tokens_ > expected_.max_output_tokens) {
    Fail(absl::StrCat(delta_tokens_, " output tokens, asked for at most ",
                      expected_.max_output_tokens));
  }
  for (const int32_t id : delta.token_ids()) {
    if (id >= 0 && id < expected_.vocab_size) continue;
    return Fail(absl::StrCat("a token id outside the vocabulary of ", expected_.vocab_size));
  }
}

void StreamChecker::OnFinish(const v1::Finish& finish) {
  finished_ = true;
  const v1::Usage& usage = finish.usage();
  if (usage.prompt_tokens() != prompt_tokens_.value_or(usage.prompt_tokens())) {
    Fail(absl::StrCat("usage.prompt_tokens is ", usage.prompt_tokens(), ", Started said ",
                      *prompt_tokens_));
  }
  // The token that ends a text is counted and not shown.
  const int64_t unshown = usage.output_tokens() - delta_tokens_;
  if (unshown < 0 || unshown > (finish.reason() == v1::STOP ? 1 : 0)) {
    Fail(absl::StrCat("usage.output_tokens is ", usage.output_tokens(), ", counted were ",
                      delta_tokens_, ", finish ", v1::FinishReason_Name(finish.reason())));
  }
  CheckReason(finish);
}

void StreamChecker::CheckReason(const v1::Finish& finish) {
  const int64_t output = finish.usage().output_tokens();
  switch (finish.reason()) {
    case v1::STOP:
    case v1::CANCELLED:  // by id; whether someone may is not seen here
      return;
    case v1::LENGTH:
      if (output == expected_.max_output_tokens) return;
      return Fail(absl::StrCat("LENGTH after ", output, " output tokens, asked for ",
                               expected_.max_output_tokens));
    case v1::TIME_LIMIT:
      if (!expected_.deadline) Fail("TIME_LIMIT of a request without a deadline");
      return;
    default:
      return Fail(absl::StrCat("the finish reason ", static_cast<int>(finish.reason()),
                               " does not belong to Generate"));
  }
}

void StreamChecker::OnStatus(const absl::Status& status, bool cancelled) {
  if (status.ok()) {
    if (!finished_) Fail(absl::StrCat("OK after ", next_seq_, " events without Finish"));
    return;
  }
  if (!finished_) return;
  const bool cut_off = absl::IsUnavailable(status) || (cancelled && absl::IsCancelled(status)) ||
                       (expected_.deadline && absl::IsDeadlineExceeded(status));
  if (!cut_off) Fail(absl::StrCat(absl::StatusCodeToString(status.code()), " after Finish"));
}

}  // namespace shoal::loadgen
