#include "services/router/session/output_text.h"

#include <string>
#include <utility>

namespace shoal {
namespace {

// The proto delta that `event` becomes.
struct ToProto {
  v1::GenerateEvent* out;
  void operator()(ReasoningDelta& delta) {
    out->mutable_reasoning_delta()->set_text(std::move(delta.text));
  }
  void operator()(TextDelta& delta) { out->mutable_text_delta()->set_text(std::move(delta.text)); }
  void operator()(ToolCallDelta& delta) {
    auto* call = out->mutable_tool_call_delta();
    call->set_index(delta.index);
    call->set_name(std::move(delta.name));
    call->set_arguments(std::move(delta.arguments));
  }
};

v1::TextDelta* TextOf(v1::GenerateEvent* event) {
  if (event->has_reasoning_delta()) return event->mutable_reasoning_delta();
  if (event->has_text_delta()) return event->mutable_text_delta();
  return nullptr;
}

}  // namespace

OutputText OutputText::Chat(const Tokenizer& tokenizer, bool in_reasoning) {
  return OutputText(tokenizer, OutputParser(tokenizer, in_reasoning));
}

OutputText OutputText::Plain(const Tokenizer& tokenizer) {
  return OutputText(tokenizer, Detokenizer(tokenizer));
}

void OutputText::Take(std::vector<OutputEvent> parsed, std::vector<v1::GenerateEvent>* events) {
  for (OutputEvent& event : parsed) {
    v1::GenerateEvent& out = events->emplace_back();
    std::visit(ToProto{&out}, event);
    if (v1::TextDelta* text = TextOf(&out)) {
      text->mutable_token_ids()->Add(held_.begin(), held_.end());
    }
    held_.clear();
  }
}

void OutputText::PushChat(OutputParser& parser, TokenId id,
                          std::vector<v1::GenerateEvent>* events) {
  if (parser.in_reasoning()) ++reasoning_tokens_;
  const bool is_marker = tokenizer_->IsAdded(id);
  if (!is_marker) held_.push_back(id);
  std::vector<OutputEvent> parsed;
  parser.Push(id, &parsed);
  Take(std::move(parsed), events);
  if (is_marker) held_.clear();  // what was not shown by now was trimmed
}

void OutputText::Push(TokenId id, std::vector<v1::GenerateEvent>* events) {
  if (auto* parser = std::get_if<OutputParser>(&form_)) return PushChat(*parser, id, events);
  held_.push_back(id);
  std::string text = std::get<Detokenizer>(form_).Push(id);
  if (!text.empty()) Take({TextDelta{std::move(text)}}, events);
}

void OutputText::Finish(std::vector<v1::GenerateEvent>* events) {
  std::vector<OutputEvent> parsed;
  if (auto* parser = std::get_if<OutputParser>(&form_)) {
    parser->Finish(&parsed);
  } else if (std::string text = std::get<Detokenizer>(form_).Flush(); !text.empty()) {
    parsed.push_back(TextDelta{std::move(text)});
  }
  Take(std::move(parsed), events);
}

int OutputText::tool_calls() const {
  const auto* parser = std::get_if<OutputParser>(&form_);
  return parser == nullptr ? 0 : parser->summary().tool_calls;
}

}  // namespace shoal
