#include "services/router/frontdoor/event_writer.h"

#include <utility>

#include "services/common/error.h"

namespace shoal {

EventWriter::EventWriter(std::shared_ptr<Outbox> outbox, std::function<void()> on_gone)
    : outbox_(std::move(outbox)), on_gone_(std::move(on_gone)) {}

void EventWriter::Begin() {
  outbox_->Attach([this] { Pump(); });
}

void EventWriter::Pump() {
  Outbox::Item item;
  {
    MutexLock lock(&mu_);
    if (writing_ || finished_) return;
    item = outbox_->TryTake();
    writing_ = item.event.has_value();
    finished_ = item.end.has_value();
    if (writing_) current_ = *std::move(item.event);
  }
  // Outside the lock; the flags keep everyone else out.
  if (item.end.has_value()) {
    Finish(ToGrpc(*item.end));
  } else if (item.event.has_value()) {
    StartWrite(&current_);
  }
}

void EventWriter::OnWriteDone(bool ok) {
  {
    MutexLock lock(&mu_);
    writing_ = false;
  }
  // A write fails when the client has gone: OnCancel ends the generation, and its end is what Pump
  // finds.
  if (!ok) on_gone_();
  Pump();
}

void EventWriter::OnCancel() { on_gone_(); }

void EventWriter::OnDone() {
  outbox_->Detach();
  delete this;
}

}  // namespace shoal
