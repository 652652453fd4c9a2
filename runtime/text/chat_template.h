// A conversation to the prompt that the model was trained on.

#ifndef SHOAL_RUNTIME_TEXT_CHAT_TEMPLATE_H_
#define SHOAL_RUNTIME_TEXT_CHAT_TEMPLATE_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "runtime/text/chat_dialect.h"
#include "runtime/text/chat_message.h"
#include "runtime/text/prompt_piece.h"
#include "runtime/text/tokenizer.h"

namespace shoal {

struct RenderedPrompt {
  // Tokenizer::EncodePrompt makes ids of them. Never two text pieces in a row.
  std::vector<PromptPiece> pieces;
  // The prompt ends within the reasoning, so the output begins there.
  bool opens_reasoning = false;
};

// What the model sees, for people: the string that the Jinja template gives.
// Not to be encoded again: text may say what looks like a token.
std::string PromptText(absl::Span<const PromptPiece> pieces);

// DeepSeek's templates, rendered natively: the same string as Jinja gives,
// quirks included (the marker that opens tool calls appears once in a
// conversation; after tool outputs no generation prompt follows).
//
// Immutable, therefore thread-safe.
class ChatTemplate {
 public:
  // `bos_token` is what the tokenizer's configuration calls so.
  ChatTemplate(const ChatDialect& dialect, std::string bos_token)
      : dialect_(dialect), bos_token_(std::move(bos_token)) {}

  // With `add_generation_prompt` the prompt ends where the assistant is to
  // speak. InvalidArgument naming the message by its place: no messages; no
  // content where there must be; tool calls outside an assistant turn; content
  // beside tool calls where the template would drop one of them. (Empty
  // content beside tool calls counts as absent.)
  absl::StatusOr<RenderedPrompt> Render(absl::Span<const ChatMessage> messages,
                                        bool add_generation_prompt = true) const;

  // OK if `tokenizer` has every token that Render can ask for; otherwise
  // InvalidArgument naming the first that is missing.
  absl::Status CheckTokens(const Tokenizer& tokenizer) const;

  absl::string_view name() const { return dialect_.name; }

 private:
  const ChatDialect dialect_;
  const std::string bos_token_;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_TEXT_CHAT_TEMPLATE_H_
