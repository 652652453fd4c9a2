#include "runtime/text/output_parser.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "runtime/text/chat_tokens.h"

namespace shoal {
namespace {

constexpr char kNewlines[] = "\n";
constexpr char kWhiteSpace[] = " \t\r\n";

}  // namespace

OutputParser::OutputParser(const Tokenizer& tokenizer, bool in_reasoning)
    : tokenizer_(tokenizer),
      think_(tokenizer.IdOf(kThinkToken)),
      end_of_think_(tokenizer.IdOf(kEndOfThinkToken)),
      calls_begin_(tokenizer.IdOf(kCallsBeginToken)),
      calls_end_(tokenizer.IdOf(kCallsEndToken)),
      call_begin_(tokenizer.IdOf(kCallBeginToken)),
      call_end_(tokenizer.IdOf(kCallEndToken)),
      separator_(tokenizer.IdOf(kCallSeparatorToken)),
      state_(in_reasoning ? State::kReasoning : State::kText),
      may_open_reasoning_(!in_reasoning),
      detokenizer_(tokenizer) {
  trimmer_.Begin(kNewlines, /*drop_leading=*/in_reasoning);
}

void OutputParser::Push(TokenId id, Events* events) {
  if (tokenizer_.IsAdded(id)) {
    PushMarker(id, events);
  } else {
    PushText(detokenizer_.Push(id), events);
  }
}

void OutputParser::PushMarker(TokenId id, Events* events) {
  const bool in_text = state_ == State::kText;
  const bool among_calls = state_ == State::kBetweenCalls || state_ == State::kCall;
  if (id == end_of_think_ && state_ == State::kReasoning) {
    CloseText(/*drop_trailing=*/true, events);
    state_ = State::kText;
    trimmer_.Begin(kNewlines, /*drop_leading=*/true);
  } else if (id == think_ && in_text && may_open_reasoning_) {
    CloseText(/*drop_trailing=*/true, events);
    may_open_reasoning_ = false;
    state_ = State::kReasoning;
    trimmer_.Begin(kNewlines, /*drop_leading=*/true);
  } else if (id == calls_begin_ && in_text) {
    CloseText(/*drop_trailing=*/true, events);
    may_open_reasoning_ = false;
    state_ = State::kBetweenCalls;
    trimmer_.Begin(kWhiteSpace, /*drop_leading=*/true);
  } else if (id == call_begin_ && among_calls) {
    EnterCall(events);
  } else if (id == separator_ && state_ == State::kCall) {
    PushText(detokenizer_.Flush(), events);
    call_.Separator();
  } else if (id == call_end_ && state_ == State::kCall) {
    LeaveCall(events);
  } else if (id == calls_end_ && among_calls) {
    if (state_ == State::kCall) LeaveCall(events);
    CloseText(/*drop_trailing=*/true, events);
    state_ = State::kText;
    trimmer_.Begin(kNewlines, /*drop_leading=*/true);
  } else if (id == think_ || id == end_of_think_ || id == calls_begin_ || id == calls_end_ ||
             id == call_begin_ || id == call_end_ || id == separator_) {
    ++summary_.stray_markers;
  }
}

void OutputParser::PushText(absl::string_view text, Events* events) {
  if (text.empty()) return;
  if (state_ == State::kCall) {
    std::vector<ToolCallDelta> deltas;
    call_.Push(text, &deltas);
    std::move(deltas.begin(), deltas.end(), std::back_inserter(*events));
  } else {
    Emit(trimmer_.Push(text), events);
  }
}

void OutputParser::CloseText(bool drop_trailing, Events* events) {
  PushText(detokenizer_.Flush(), events);
  Emit(trimmer_.End(drop_trailing), events);
}

void OutputParser::EnterCall(Events* events) {
  if (state_ == State::kCall) {
    LeaveCall(events);  // its end marker is missing
  }
  CloseText(/*drop_trailing=*/true, events);
  state_ = State::kCall;
  call_.Begin(summary_.tool_calls);
}

void OutputParser::LeaveCall(Events* events) {
  PushText(detokenizer_.Flush(), events);
  std::vector<ToolCallDelta> deltas;
  if (call_.End(&deltas)) {
    ++summary_.tool_calls;
  } else {
    ++summary_.malformed_tool_calls;
  }
  std::move(deltas.begin(), deltas.end(), std::back_inserter(*events));
  state_ = State::kBetweenCalls;
  trimmer_.Begin(kWhiteSpace, /*drop_leading=*/true);
}

void OutputParser::Finish(Events* events) {
  summary_.reasoning_unclosed = state_ == State::kReasoning;
  summary_.tool_call_unclosed = state_ == State::kCall;
  if (state_ == State::kCall) LeaveCall(events);
  CloseText(/*drop_trailing=*/state_ == State::kBetweenCalls, events);
}

void OutputParser::Emit(std::string text, Events* events) {
  if (text.empty()) return;
  if (state_ == State::kReasoning) {
    events->push_back(ReasoningDelta{std::move(text)});
    return;
  }
  if (text.find_first_not_of(kNewlines) != std::string::npos) {
    may_open_reasoning_ = false;
  }
  events->push_back(TextDelta{std::move(text)});
}

}  // namespace shoal
