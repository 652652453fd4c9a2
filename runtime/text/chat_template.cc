#include "runtime/text/chat_template.h"

#include <cstddef>

#include "absl/strings/str_cat.h"

#include "runtime/base/status_macros.h"
#include "runtime/text/chat_tokens.h"

namespace shoal {
namespace {

// One walk through a conversation. The three flags are the template's own
// variables, with its initial values and its omissions.
class Renderer {
 public:
  Renderer(const ChatDialect& dialect, absl::string_view bos_token) : dialect_(dialect) {
    Token(bos_token);
  }

  void System(absl::Span<const ChatMessage> messages) {
    std::string prompt;
    bool first = true;
    for (const ChatMessage& message : messages) {
      if (message.role != ChatRole::kSystem) continue;
      if (!dialect_.joins_system_messages) {
        prompt = *message.content;
      } else {
        absl::StrAppend(&prompt, first ? "" : "\n\n", *message.content);
      }
      first = false;
    }
    Text(prompt);
  }

  void Turn(const ChatMessage& message) {
    switch (message.role) {
      case ChatRole::kSystem:
        return;  // all of them stand in front
      case ChatRole::kUser:
        in_outputs_ = false;
        Token(kUserToken);
        return Text(*message.content);
      case ChatRole::kAssistant:
        return message.tool_calls.empty() ? Answer(*message.content) : Calls(message);
      case ChatRole::kTool:
        return Output(*message.content);
    }
  }

  RenderedPrompt Finish(bool add_generation_prompt) {
    if (in_outputs_) {
      Token(kOutputsEndToken);
    } else if (add_generation_prompt) {
      Token(kAssistantToken);
      if (dialect_.opens_reasoning) {
        Token(kThinkToken);
        Text("\n");
        prompt_.opens_reasoning = true;
      }
    }
    return std::move(prompt_);
  }

 private:
  void Token(absl::string_view token) {
    prompt_.pieces.push_back({PromptPiece::Kind::kToken, std::string(token)});
  }

  void Text(absl::string_view text) {
    if (text.empty()) return;
    if (prompt_.pieces.back().kind == PromptPiece::Kind::kText) {
      absl::StrAppend(&prompt_.pieces.back().text, text);
    } else {
      prompt_.pieces.push_back({PromptPiece::Kind::kText, std::string(text)});
    }
  }

  void Answer(absl::string_view content) {
    if (in_outputs_) {
      Token(kOutputsEndToken);
      in_outputs_ = false;
    } else {
      Token(kAssistantToken);
      if (dialect_.drops_old_reasoning) {
        const size_t end = content.rfind(kEndOfThinkToken);
        if (end != absl::string_view::npos) {
          content.remove_prefix(end + sizeof(kEndOfThinkToken) - 1);
        }
      }
    }
    Text(content);
    Token(kEndOfSentenceToken);
  }

  void Calls(const ChatMessage& message) {
    in_outputs_ = false;
    for (const ChatToolCall& call : message.tool_calls) {
      const bool first = !has_called_;
      has_called_ = true;
      if (first) {
        Token(kAssistantToken);
        Text(message.content.value_or(""));
        Token(kCallsBeginToken);
      } else {
        Text("\n");
      }
      Token(kCallBeginToken);
      Text(call.type);
      Token(kCallSeparatorToken);
      Text(absl::StrCat(call.name, "\n```json\n", call.arguments, "\n```"));
      Token(kCallEndToken);
      if (!dialect_.always_closes_calls && !first) CloseCalls();
    }
    if (dialect_.always_closes_calls) CloseCalls();
  }

  void CloseCalls() {
    Token(kCallsEndToken);
    Token(kEndOfSentenceToken);
  }

  void Output(absl::string_view content) {
    in_outputs_ = true;
    if (!has_output_) {
      Token(kOutputsBeginToken);
    } else if (dialect_.has_newline_between_outputs) {
      Text("\n");
    }
    has_output_ = true;
    Token(kOutputBeginToken);
    Text(content);
    Token(kOutputEndToken);
  }

  const ChatDialect& dialect_;
  RenderedPrompt prompt_;
  bool has_called_ = false;  // the template's is_first
  bool has_output_ = false;  // not is_output_first
  bool in_outputs_ = false;  // is_tool
};

absl::Status CheckMessage(const ChatDialect& dialect, const ChatMessage& message,
                          const std::string& where) {
  const bool has_calls = !message.tool_calls.empty();
  if (has_calls && message.role != ChatRole::kAssistant) {
    return absl::InvalidArgumentError(absl::StrCat(where, " has ", message.tool_calls.size(),
                                                   " tool calls and is no assistant turn"));
  }
  if (!message.content.has_value() && !has_calls) {
    return absl::InvalidArgumentError(absl::StrCat(where, " has neither content nor tool calls"));
  }
  if (has_calls && !message.content.value_or("").empty() && !dialect.allows_content_beside_calls) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, " has ", message.content->size(), " bytes of content and ",
                     message.tool_calls.size(), " tool calls; the template ", dialect.name,
                     " renders one or the other"));
  }
  return absl::OkStatus();
}

}  // namespace

std::string PromptText(absl::Span<const PromptPiece> pieces) {
  std::string text;
  for (const PromptPiece& piece : pieces) absl::StrAppend(&text, piece.text);
  return text;
}

absl::StatusOr<RenderedPrompt> ChatTemplate::Render(absl::Span<const ChatMessage> messages,
                                                    bool add_generation_prompt) const {
  if (messages.empty()) {
    return absl::InvalidArgumentError("messages is empty");
  }
  for (size_t i = 0; i < messages.size(); ++i) {
    RETURN_IF_ERROR(CheckMessage(dialect_, messages[i], absl::StrCat("messages[", i, "]")));
  }
  Renderer renderer(dialect_, bos_token_);
  renderer.System(messages);
  for (const ChatMessage& message : messages) renderer.Turn(message);
  return renderer.Finish(add_generation_prompt);
}

absl::Status ChatTemplate::CheckTokens(const Tokenizer& tokenizer) const {
  std::vector<absl::string_view> needed = {
      bos_token_,       kUserToken,        kAssistantToken, kEndOfSentenceToken, kCallsBeginToken,
      kCallsEndToken,   kCallBeginToken,   kCallEndToken,   kCallSeparatorToken, kOutputsBeginToken,
      kOutputsEndToken, kOutputBeginToken, kOutputEndToken};
  if (dialect_.opens_reasoning) {
    needed.push_back(kThinkToken);
    needed.push_back(kEndOfThinkToken);
  }
  for (const absl::string_view token : needed) {
    if (tokenizer.IdOf(token).has_value()) continue;
    return absl::InvalidArgumentError(absl::StrCat("the chat template ", dialect_.name,
                                                   " needs the token '", token,
                                                   "', which the tokenizer does not have"));
  }
  return absl::OkStatus();
}

}  // namespace shoal
