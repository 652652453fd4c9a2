#include "services/router/frontdoor/unary_aggregate.h"

#include <utility>

#include "services/common/error.h"

namespace shoal {

void Add(const v1::GenerateEvent& event, v1::ChatCompletion* sum) {
  switch (event.event_case()) {
    case v1::GenerateEvent::kStarted:
      *sum->mutable_started() = event.started();
      break;
    case v1::GenerateEvent::kReasoningDelta:
      sum->mutable_reasoning()->append(event.reasoning_delta().text());
      break;
    case v1::GenerateEvent::kTextDelta:
      sum->mutable_text()->append(event.text_delta().text());
      break;
    case v1::GenerateEvent::kToolCallDelta: {
      const v1::ToolCallDelta& delta = event.tool_call_delta();
      while (sum->tool_calls_size() <= delta.index()) sum->add_tool_calls();
      v1::ToolCall* call = sum->mutable_tool_calls(delta.index());
      call->mutable_name()->append(delta.name());
      call->mutable_arguments()->append(delta.arguments());
      break;
    }
    case v1::GenerateEvent::kFinish:
      *sum->mutable_finish() = event.finish();
      break;
    case v1::GenerateEvent::EVENT_NOT_SET:
      break;
  }
}

AggregateReactor::AggregateReactor(std::shared_ptr<Outbox> outbox, v1::ChatCompletion* response,
                                   std::function<void()> on_gone)
    : outbox_(std::move(outbox)), response_(response), on_gone_(std::move(on_gone)) {}

void AggregateReactor::Begin() {
  outbox_->Attach([this] { Pump(); });
}

void AggregateReactor::Pump() {
  while (!finished_) {
    Outbox::Item item = outbox_->TryTake();
    if (item.event.has_value()) {
      Add(*item.event, response_);
    } else if (item.end.has_value()) {
      finished_ = true;
      Finish(ToGrpc(*item.end));
    } else {
      return;
    }
  }
}

void AggregateReactor::OnCancel() { on_gone_(); }

void AggregateReactor::OnDone() {
  outbox_->Detach();
  delete this;
}

}  // namespace shoal
