// Output token ids to the typed deltas of the public API.

#ifndef SHOAL_SERVICES_ROUTER_SESSION_OUTPUT_TEXT_H_
#define SHOAL_SERVICES_ROUTER_SESSION_OUTPUT_TEXT_H_

#include <cstdint>
#include <utility>
#include <variant>
#include <vector>

#include "shoal/v1/inference.pb.h"

#include "runtime/base/token_id.h"
#include "runtime/text/detokenizer.h"
#include "runtime/text/output_parser.h"
#include "runtime/text/tokenizer.h"

namespace shoal {

// One generation's output. In chat form ids go through the reasoning and tool-call state machine;
// in plain form they are text. A delta carries the ids it came from: a token whose text is held
// back (half a character, a newline that may be trimmed) is listed in the next delta of the same
// stretch of text; a marker, or a token of a tool call, in none.
//
// A function of the ids alone. One thread at a time; the tokenizer outlives it.
class OutputText {
 public:
  static OutputText Chat(const Tokenizer& tokenizer, bool in_reasoning);
  static OutputText Plain(const Tokenizer& tokenizer);

  void Push(TokenId id, std::vector<v1::GenerateEvent>* events);
  // What was held back. REQUIRES: the last call.
  void Finish(std::vector<v1::GenerateEvent>* events);

  // Tokens that arrived while in the reasoning, its closing mark included.
  int32_t reasoning_tokens() const { return reasoning_tokens_; }
  // Whole tool calls so far; exact after Finish().
  int tool_calls() const;

 private:
  OutputText(const Tokenizer& tokenizer, std::variant<OutputParser, Detokenizer> form)
      : tokenizer_(&tokenizer), form_(std::move(form)) {}
  void PushChat(OutputParser& parser, TokenId id, std::vector<v1::GenerateEvent>* events);
  void Take(std::vector<OutputEvent> parsed, std::vector<v1::GenerateEvent>* events);

  const Tokenizer* tokenizer_;
  std::variant<OutputParser, Detokenizer> form_;
  std::vector<TokenId> held_;  // ids whose text has not been shown
  int32_t reasoning_tokens_ = 0;
};

}  // namespace shoal

#endif  // SHOAL_SERVICES_ROUTER_SESSION_OUTPUT_TEXT_H_
