// The model's output, token by token, to reasoning, text and tool calls.

#ifndef SHOAL_RUNTIME_TEXT_OUTPUT_PARSER_H_
#define SHOAL_RUNTIME_TEXT_OUTPUT_PARSER_H_

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"

#include "runtime/base/token_id.h"
#include "runtime/text/detokenizer.h"
#include "runtime/text/edge_trimmer.h"
#include "runtime/text/tokenizer.h"
#include "runtime/text/tool_call_parser.h"

namespace shoal {

// Deltas: those of one kind, in order, add up to the whole. None is empty.
struct ReasoningDelta {
  std::string text;
  friend bool operator==(const ReasoningDelta&, const ReasoningDelta&) = default;
};
struct TextDelta {
  std::string text;
  friend bool operator==(const TextDelta&, const TextDelta&) = default;
};
using OutputEvent = std::variant<ReasoningDelta, TextDelta, ToolCallDelta>;

// What is known of the output as a whole once it has ended.
struct OutputSummary {
  // The output ended within the reasoning: there is no answer.
  bool reasoning_unclosed = false;
  // Calls that were named; the last one may be cut off.
  int tool_calls = 0;
  bool tool_call_unclosed = false;
  // Calls that ended before they had a name; they gave no event.
  int malformed_tool_calls = 0;
  // Structural tokens where they mean nothing; they were dropped.
  int stray_markers = 0;
};

// Decides by token ids, not by text: "<think>" spelled out in ordinary tokens
// is text. No added token's content ever enters an event. Every string is whole
// UTF-8.
//
//   - Output that begins in the reasoning stays there until </think>, to the
//     end if that never comes. Output that does not, enters it by <think>
//     before any text.
//   - Newlines at the start of the reasoning, at its end, at the start of the
//     text behind it and between text and tool calls are the format's and are
//     dropped. Those at the very end of the output are the model's and kept.
//   - Tool calls run from <tool calls begin> to <tool calls end> or to the end
//     of the output: the stock template closes a single call by nothing else.
//     White space between calls is dropped; anything else there is text.
//
// A function of the ids alone, so that a generation can move to another
// process. One thread at a time; the tokenizer outlives it.
class OutputParser {
 public:
  // `in_reasoning`: RenderedPrompt::opens_reasoning of the prompt.
  OutputParser(const Tokenizer& tokenizer, bool in_reasoning);

  // Appends the events that `id` completes.
  void Push(TokenId id, std::vector<OutputEvent>* events);

  // Appends what was held back. REQUIRES: no Push and no Finish afterwards.
  void Finish(std::vector<OutputEvent>* events);

  // Complete after Finish.
  const OutputSummary& summary() const { return summary_; }
  bool in_reasoning() const { return state_ == State::kReasoning; }

 private:
  enum class State { kReasoning, kText, kBetweenCalls, kCall };
  using Events = std::vector<OutputEvent>;

  void PushMarker(TokenId id, Events* events);
  void PushText(absl::string_view text, Events* events);
  // Ends the state's text: what the detokenizer holds goes to it first.
  void CloseText(bool drop_trailing, Events* events);
  void EnterCall(Events* events);
  void LeaveCall(Events* events);
  void Emit(std::string text, Events* events);

  // Constant after construction; absent where the tokenizer has no such token.
  const Tokenizer& tokenizer_;
  const std::optional<TokenId> think_;
  const std::optional<TokenId> end_of_think_;
  const std::optional<TokenId> calls_begin_;
  const std::optional<TokenId> calls_end_;
  const std::optional<TokenId> call_begin_;
  const std::optional<TokenId> call_end_;
  const std::optional<TokenId> separator_;

  State state_;
  bool may_open_reasoning_;  // no reasoning and no text so far
  Detokenizer detokenizer_;
  EdgeTrimmer trimmer_;  // of the state's text
  ToolCallParser call_;
  OutputSummary summary_;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_TEXT_OUTPUT_PARSER_H_
