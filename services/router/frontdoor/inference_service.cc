#include "services/router/frontdoor/inference_service.h"

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "runtime/base/random64.h"
#include "runtime/base/status_macros.h"
#include "services/common/error.h"
#include "services/common/unknown_fields.h"
#include "services/router/frontdoor/event_writer.h"
#include "services/router/frontdoor/unary_aggregate.h"

namespace shoal {
namespace {

// Output tokens that may wait for a client that does not read.
constexpr int64_t kMaxLagTokens = 16'384;

std::string NewId(absl::string_view prefix) {
  return absl::StrFormat("%s-%016x%016x", prefix, Random64(), Random64());
}

// The client's deadline on our clock; infinite where it set none.
absl::Time DeadlineOf(const grpc::CallbackServerContext& context, const Clock& clock) {
  const auto deadline = context.deadline();
  if (deadline == std::chrono::system_clock::time_point::max()) return absl::InfiniteFuture();
  return clock.Now() + absl::FromChrono(deadline - std::chrono::system_clock::now());
}

OutputText TextFor(const ServedModel& model, const Prompt& prompt) {
  return prompt.chat ? OutputText::Chat(*model.text.tokenizer, prompt.opens_reasoning)
                     : OutputText::Plain(*model.text.tokenizer);
}

// A unary call whose answer is at hand.
grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context, const absl::Status& status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(ToGrpc(status));
  return reactor;
}

}  // namespace

InferenceService::InferenceService(const ServedModel& model, GenerationTable& table,
                                   const Clock& clock, RouterMetrics& metrics)
    : model_(model), table_(table), clock_(clock), metrics_(metrics) {}

template <typename Request>
absl::StatusOr<std::string> InferenceService::Start(std::string_view method,
                                                    const grpc::CallbackServerContext& context,
                                                    const Request& request,
                                                    const std::shared_ptr<Outbox>& outbox) {
  GenerationSpec spec = {.generation_id = NewId("gen"),
                         .request_id = request.request_id(),
                         .method = std::string(method),
                         .model = model_.name,
                         .end_token = model_.text.eos,
                         .deadline = DeadlineOf(context, clock_),
                         .arrival = clock_.Now()};
  RETURN_IF_ERROR(CheckRequestId(spec.request_id));
  if (spec.request_id.empty()) spec.request_id = NewId("req");
  ASSIGN_OR_RETURN(const Prompt prompt, PromptOf(model_, request));
  ASSIGN_OR_RETURN(spec.submit,
                   SubmitOf(model_, prompt, request.sampling(), request.stop(), Random64()));
  const int64_t kv_blocks = KvBlocksFor(spec.submit);
  auto generation = std::make_shared<Generation>(std::move(spec), TextFor(model_, prompt), outbox,
                                                 clock_, metrics_);
  RETURN_IF_ERROR(table_.Start(generation, kv_blocks));
  return generation->id();
}

template <typename Request>
grpc::ServerWriteReactor<v1::GenerateEvent>* InferenceService::Stream(
    std::string_view method, const grpc::CallbackServerContext& context, const Request& request) {
  auto outbox = std::make_shared<Outbox>(kMaxLagTokens);
  absl::StatusOr<std::string> id = Start(method, context, request, outbox);
  if (!id.ok()) {
    metrics_.CountRequest(method, id.status().code(), "");
    outbox->End(id.status());
    id = std::string();
  }
  auto* writer = new EventWriter(outbox, [this, id = *id] { table_.Abandon(id); });
  writer->Begin();
  return writer;
}

grpc::ServerWriteReactor<v1::GenerateEvent>* InferenceService::Chat(
    grpc::CallbackServerContext* context, const v1::ChatRequest* request) {
  return Stream("Chat", *context, *request);
}

grpc::ServerWriteReactor<v1::GenerateEvent>* InferenceService::Generate(
    grpc::CallbackServerContext* context, const v1::GenerateRequest* request) {
  return Stream("Generate", *context, *request);
}

grpc::ServerUnaryReactor* InferenceService::ChatComplete(grpc::CallbackServerContext* context,
                                                         const v1::ChatRequest* request,
                                                         v1::ChatCompletion* response) {
  auto outbox = std::make_shared<Outbox>(kMaxLagTokens);
  absl::StatusOr<std::string> id = Start("ChatComplete", *context, *request, outbox);
  if (!id.ok()) {
    metrics_.CountRequest("ChatComplete", id.status().code(), "");
    return Answer(context, id.status());
  }
  auto* reactor = new AggregateReactor(outbox, response, [this, id = *id] { table_.Abandon(id); });
  reactor->Begin();
  return reactor;
}

grpc::ServerUnaryReactor* InferenceService::Cancel(grpc::CallbackServerContext* context,
                                                   const v1::CancelRequest* request,
                                                   v1::CancelResponse* response) {
  if (const absl::Status known = RefuseUnknownFields(*request); !known.ok()) {
    return Answer(context, known);
  }
  switch (request->which_case()) {
    case v1::CancelRequest::kRequestId:
      response->set_found(table_.CancelRequest(request->request_id()));
      return Answer(context, absl::OkStatus());
    case v1::CancelRequest::kGenerationId:
      response->set_found(table_.CancelGeneration(request->generation_id()));
      return Answer(context, absl::OkStatus());
    case v1::CancelRequest::WHICH_NOT_SET:
      break;
  }
  return Answer(context, InvalidField("which", "missing; give request_id or generation_id"));
}

grpc::ServerUnaryReactor* InferenceService::Tokenize(grpc::CallbackServerContext* context,
                                                     const v1::TokenizeRequest* request,
                                                     v1::TokenizeResponse* response) {
  const auto encode = [&]() -> absl::Status {
    RETURN_IF_ERROR(RefuseUnknownFields(*request));
    RETURN_IF_ERROR(CheckModel(model_, request->model()));
    RETURN_IF_ERROR(CheckTextSize(model_, request->text()));
    const auto ids = model_.text.tokenizer->Encode(request->text());
    if (!ids.ok()) return InvalidField("text", ids.status().message());
    response->mutable_ids()->Assign(ids->begin(), ids->end());
    return absl::OkStatus();
  };
  return Answer(context, encode());
}

grpc::ServerUnaryReactor* InferenceService::Detokenize(grpc::CallbackServerContext* context,
                                                       const v1::DetokenizeRequest* request,
                                                       v1::DetokenizeResponse* response) {
  const auto decode = [&]() -> absl::Status {
    RETURN_IF_ERROR(RefuseUnknownFields(*request));
    RETURN_IF_ERROR(CheckModel(model_, request->model()));
    Detokenizer detokenizer(*model_.text.tokenizer);
    for (int i = 0; i < request->ids_size(); ++i) {
      if (request->ids(i) < 0 || request->ids(i) >= model_.config.vocab) {
        return InvalidField(absl::StrCat("ids[", i, "]"),
                            absl::StrCat("outside the vocabulary of ", model_.config.vocab));
      }
      response->mutable_text()->append(detokenizer.Push(request->ids(i)));
    }
    response->mutable_text()->append(detokenizer.Flush());
    return absl::OkStatus();
  };
  return Answer(context, decode());
}

grpc::ServerUnaryReactor* InferenceService::RenderPrompt(grpc::CallbackServerContext* context,
                                                         const v1::ChatRequest* request,
                                                         v1::RenderPromptResponse* response) {
  const auto render = [&]() -> absl::Status {
    ASSIGN_OR_RETURN(const RenderedPrompt rendered, Render(model_, *request));
    const auto ids = model_.text.tokenizer->EncodePrompt(rendered.pieces);
    if (!ids.ok()) return InvalidField("messages", ids.status().message());
    response->set_text(PromptText(rendered.pieces));
    response->mutable_ids()->Assign(ids->begin(), ids->end());
    return absl::OkStatus();
  };
  return Answer(context, render());
}

grpc::ServerUnaryReactor* InferenceService::CountTokens(grpc::CallbackServerContext* context,
                                                        const v1::ChatRequest* request,
                                                        v1::CountTokensResponse* response) {
  const absl::StatusOr<Prompt> prompt = PromptOf(model_, *request);
  if (prompt.ok()) response->set_prompt_tokens(static_cast<int32_t>(prompt->ids.size()));
  return Answer(context, prompt.status());
}

}  // namespace shoal
