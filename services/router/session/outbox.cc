#include "services/router/session/outbox.h"

#include <utility>

#include "runtime/base/check.h"

namespace shoal {
namespace {

using v1::GenerateEvent;

// The text delta in `event`, whichever kind; null for other events.
v1::TextDelta* TextOf(GenerateEvent* event) {
  switch (event->event_case()) {
    case GenerateEvent::kReasoningDelta:
      return event->mutable_reasoning_delta();
    case GenerateEvent::kTextDelta:
      return event->mutable_text_delta();
    default:
      return nullptr;
  }
}

// What `event` adds to its reader's lag.
int64_t TokensIn(GenerateEvent* event) {
  if (event->has_tool_call_delta()) return 1;
  const v1::TextDelta* text = TextOf(event);
  return text == nullptr ? 0 : text->token_ids_size();
}

// Appends `from` to `into` where it continues the same call.
bool MergeCalls(const v1::ToolCallDelta& from, v1::ToolCallDelta* into) {
  if (from.index() != into->index() || !from.name().empty()) return false;
  into->mutable_arguments()->append(from.arguments());
  return true;
}

// Appends `from` to `into` where both are the same kind of delta.
bool Merge(GenerateEvent* from, GenerateEvent* into) {
  if (from->event_case() != into->event_case()) return false;
  if (from->has_tool_call_delta()) {
    return MergeCalls(from->tool_call_delta(), into->mutable_tool_call_delta());
  }
  v1::TextDelta* head = TextOf(into);
  if (head == nullptr) return false;
  const v1::TextDelta& tail = *TextOf(from);
  head->mutable_text()->append(tail.text());
  head->mutable_token_ids()->MergeFrom(tail.token_ids());
  return true;
}

}  // namespace

bool Outbox::Push(GenerateEvent event) {
  {
    MutexLock lock(&mu_);
    CHECK(!end_.has_value());
    const int64_t tokens = TokensIn(&event);
    if (lag_tokens_ + tokens > max_lag_tokens_) return false;
    lag_tokens_ += tokens;
    if (!events_.empty() && Merge(&event, &events_.back().event)) {
      events_.back().tokens += tokens;
    } else {
      events_.push_back({std::move(event), tokens});
    }
  }
  Wake();
  return true;
}

void Outbox::End(absl::Status status) {
  {
    MutexLock lock(&mu_);
    if (end_.has_value()) return;
    end_ = std::move(status);
  }
  Wake();
}

Outbox::Item Outbox::TryTake() {
  MutexLock lock(&mu_);
  Item item;
  if (!events_.empty()) {
    item.event = std::move(events_.front().event);
    lag_tokens_ -= events_.front().tokens;
    events_.pop_front();
    item.event->set_seq(next_seq_++);
  } else {
    item.end = end_;
  }
  return item;
}

void Outbox::Attach(std::function<void()> wake) {
  {
    MutexLock lock(&wake_mu_);
    wake_ = std::move(wake);
  }
  Wake();
}

void Outbox::Detach() {
  MutexLock lock(&wake_mu_);
  wake_ = nullptr;
}

void Outbox::Wake() {
  MutexLock lock(&wake_mu_);
  if (wake_) wake_();
}

}  // namespace shoal
