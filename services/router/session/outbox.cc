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

int64_t TokensIn(GenerateEvent* event) {
  const v1::TextDelta* text = TextOf(event);
  return text == nullptr ? 0 : text->token_ids_size();
}

// Appends `from` to `into` where both are the same kind of delta.
bool Merge(GenerateEvent* from, GenerateEvent* into) {
  v1::TextDelta* head = TextOf(into);
  if (head == nullptr || from->event_case() != into->event_case()) return false;
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
    lag_tokens_ += TokensIn(&event);
    if (lag_tokens_ > max_lag_tokens_) return false;
    if (events_.empty() || !Merge(&event, &events_.back())) events_.push_back(std::move(event));
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
    item.event = std::move(events_.front());
    events_.pop_front();
    lag_tokens_ -= TokensIn(&*item.event);
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
