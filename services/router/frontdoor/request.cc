#include "services/router/frontdoor/request.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "runtime/base/status_macros.h"
#include "services/common/error.h"
#include "services/common/unknown_fields.h"

namespace shoal {
namespace {

absl::StatusOr<ChatRole> RoleOf(const v1::Message& message, const std::string& field) {
  switch (message.role()) {
    case v1::Message::SYSTEM:
      return ChatRole::kSystem;
    case v1::Message::USER:
      return ChatRole::kUser;
    case v1::Message::ASSISTANT:
      return ChatRole::kAssistant;
    case v1::Message::TOOL:
      return ChatRole::kTool;
    default:
      return InvalidField(
          absl::StrCat(field, ".role"),
          absl::StrCat(message.role(), " is none of SYSTEM, USER, ASSISTANT, TOOL"));
  }
}

absl::StatusOr<ChatMessage> MessageOf(const v1::Message& message, const std::string& field) {
  ASSIGN_OR_RETURN(const ChatRole role, RoleOf(message, field));
  ChatMessage out{.role = role};
  if (!message.content().empty() || message.tool_calls().empty()) out.content = message.content();
  for (const v1::ToolCall& call : message.tool_calls()) {
    out.tool_calls.push_back({.name = call.name(), .arguments = call.arguments()});
  }
  return out;
}

absl::Status CheckSize(const ServedModel& model, const v1::ChatRequest& request) {
  if (request.messages().empty()) return InvalidField("messages", "empty; at least one is needed");
  if (request.messages_size() > model.limits.max_messages) {
    return InvalidField("messages",
                        absl::StrCat(request.messages_size(), " messages, the limit is ",
                                     model.limits.max_messages));
  }
  size_t bytes = 0;
  for (const v1::Message& message : request.messages()) {
    bytes += message.content().size();
    for (const v1::ToolCall& call : message.tool_calls()) {
      bytes += call.name().size() + call.arguments().size();
    }
  }
  if (bytes > static_cast<size_t>(model.limits.max_prompt_bytes)) {
    return InvalidField("messages", absl::StrCat(bytes, " bytes of text, the limit is ",
                                                 model.limits.max_prompt_bytes));
  }
  return absl::OkStatus();
}

absl::StatusOr<Prompt> IdsPrompt(const ServedModel& model, const v1::TokenIds& ids) {
  if (ids.ids().empty()) return InvalidField("token_ids", "empty; a prompt has at least one token");
  for (int i = 0; i < ids.ids_size(); ++i) {
    if (ids.ids(i) < 0 || ids.ids(i) >= model.config.vocab) {
      return InvalidField(absl::StrCat("token_ids.ids[", i, "]"),
                          absl::StrCat("outside the vocabulary of ", model.config.vocab));
    }
  }
  return Prompt{.ids = {ids.ids().begin(), ids.ids().end()}};
}

// Validate() says "top_p is 7, it must be ...": the field in the request's own words.
absl::Status SamplingError(const absl::Status& status) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(status.message(), absl::MaxSplits(' ', 1));
  return InvalidField(absl::StrCat("sampling.", parts.first), parts.second);
}

}  // namespace

absl::Status CheckModel(const ServedModel& model, const std::string& name) {
  if (name.empty() || name == model.name) return absl::OkStatus();
  return WithReason(absl::NotFoundError(absl::StrCat(
                        "model: no such model here; the served one is \"", model.name, "\"")),
                    "MODEL_NOT_FOUND");
}

absl::Status CheckTextSize(const ServedModel& model, const std::string& text) {
  if (text.size() <= static_cast<size_t>(model.limits.max_prompt_bytes)) return absl::OkStatus();
  return InvalidField(
      "text", absl::StrCat(text.size(), " bytes, the limit is ", model.limits.max_prompt_bytes));
}

absl::Status CheckRequestId(const std::string& id) {
  constexpr size_t kLimit = 128;
  if (id.size() > kLimit) {
    return InvalidField("request_id", absl::StrCat(id.size(), " bytes, the limit is ", kLimit));
  }
  for (size_t i = 0; i < id.size(); ++i) {
    const char c = id[i];
    if (absl::ascii_isalnum(c) || c == '.' || c == '_' || c == '-') continue;
    return InvalidField("request_id", absl::StrCat("byte ", i, " is none of [A-Za-z0-9._-]"));
  }
  return absl::OkStatus();
}

absl::StatusOr<RenderedPrompt> Render(const ServedModel& model, const v1::ChatRequest& request) {
  RETURN_IF_ERROR(RefuseUnknownFields(request));
  RETURN_IF_ERROR(CheckModel(model, request.model()));
  RETURN_IF_ERROR(CheckSize(model, request));
  std::vector<ChatMessage> messages;
  for (int i = 0; i < request.messages_size(); ++i) {
    ASSIGN_OR_RETURN(ChatMessage message,
                     MessageOf(request.messages(i), absl::StrCat("messages[", i, "]")));
    messages.push_back(std::move(message));
  }
  absl::StatusOr<RenderedPrompt> rendered = model.text.chat_template.Render(messages);
  if (!rendered.ok()) return InvalidField("messages", rendered.status().message());
  return rendered;
}

absl::StatusOr<Prompt> PromptOf(const ServedModel& model, const v1::ChatRequest& request) {
  ASSIGN_OR_RETURN(const RenderedPrompt rendered, Render(model, request));
  absl::StatusOr<std::vector<TokenId>> ids = model.text.tokenizer->EncodePrompt(rendered.pieces);
  if (!ids.ok()) return InvalidField("messages", ids.status().message());
  return Prompt{.ids = *std::move(ids), .chat = true, .opens_reasoning = rendered.opens_reasoning};
}

absl::StatusOr<Prompt> PromptOf(const ServedModel& model, const v1::GenerateRequest& request) {
  RETURN_IF_ERROR(RefuseUnknownFields(request));
  RETURN_IF_ERROR(CheckModel(model, request.model()));
  if (request.has_token_ids()) return IdsPrompt(model, request.token_ids());
  if (!request.has_text()) return InvalidField("prompt", "missing; give text or token_ids");
  if (request.text().empty()) return InvalidField("text", "empty; a prompt has at least one byte");
  RETURN_IF_ERROR(CheckTextSize(model, request.text()));
  absl::StatusOr<std::vector<TokenId>> ids = model.text.tokenizer->Encode(request.text());
  if (!ids.ok()) return InvalidField("text", ids.status().message());
  ids->insert(ids->begin(), model.text.bos);
  return Prompt{.ids = *std::move(ids)};
}

absl::StatusOr<v1::Submit> SubmitOf(const ServedModel& model, const Prompt& prompt,
                                    const v1::SamplingOptions& sampling,
                                    const v1::StopOptions& stop, uint64_t seed) {
  const SamplingOptions& defaults = model.default_sampling;
  const SamplingOptions options = {
      .temperature = sampling.has_temperature() ? sampling.temperature() : defaults.temperature,
      .top_p = sampling.has_top_p() ? sampling.top_p() : defaults.top_p,
      .top_k = sampling.has_top_k() ? sampling.top_k() : defaults.top_k,
      .min_p = sampling.has_min_p() ? sampling.min_p() : defaults.min_p,
      .seed = sampling.has_seed() ? sampling.seed() : seed};
  if (const absl::Status valid = Validate(options); !valid.ok()) return SamplingError(valid);

  const auto prompt_tokens = static_cast<int32_t>(prompt.ids.size());
  const int32_t room = model.config.max_positions - prompt_tokens;
  if (room < 1) {
    return WithReason(InvalidField("prompt", absl::StrCat(prompt_tokens,
                                                          " tokens leave no room for output in a "
                                                          "context of ",
                                                          model.config.max_positions)),
                      "CONTEXT_LENGTH_EXCEEDED");
  }
  int32_t max_output = std::min(room, model.limits.max_output_tokens);
  if (stop.has_max_output_tokens()) {
    if (stop.max_output_tokens() < 1 || stop.max_output_tokens() > max_output) {
      return InvalidField(
          "stop.max_output_tokens",
          absl::StrCat(stop.max_output_tokens(), " is outside [1, ", max_output,
                       "], what the limits and a prompt of ", prompt_tokens, " tokens leave"));
    }
    max_output = stop.max_output_tokens();
  }
  if (stop.stop_token_ids_size() > model.limits.max_stop_token_ids) {
    return InvalidField("stop.stop_token_ids",
                        absl::StrCat(stop.stop_token_ids_size(), " ids, the limit is ",
                                     model.limits.max_stop_token_ids));
  }
  v1::Submit out;
  out.mutable_prompt()->Assign(prompt.ids.begin(), prompt.ids.end());
  out.set_temperature(options.temperature);
  out.set_top_p(options.top_p);
  out.set_top_k(options.top_k);
  out.set_min_p(options.min_p);
  out.set_seed(options.seed);
  out.set_max_output_tokens(max_output);
  out.mutable_stop_tokens()->Assign(model.end_tokens.begin(), model.end_tokens.end());
  for (const TokenId id : stop.stop_token_ids()) {
    if (id < 0 || id >= model.config.vocab) {
      return InvalidField("stop.stop_token_ids",
                          absl::StrCat(id, " is outside the vocabulary of ", model.config.vocab));
    }
    out.add_stop_tokens(id);
  }
  return out;
}

int64_t KvBlocksFor(const v1::Submit& submit) {
  const int64_t positions = submit.prompt_size() + submit.max_output_tokens();
  return (positions + kKvBlock - 1) / kKvBlock;
}

}  // namespace shoal
