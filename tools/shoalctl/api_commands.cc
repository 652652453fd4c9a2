#include <grpcpp/client_context.h>

#include <cstdio>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "services/common/error.h"
#include "tools/shoalctl/command.h"

namespace shoal {
namespace {

constexpr char kDim[] = "\033[2m";
constexpr char kPlain[] = "\033[0m";

void Print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

// Prints a stream as it comes, with one blank line between reasoning and answer.
class Screen {
 public:
  explicit Screen(const ChatStyle& style) : style_(style) {}

  void Show(const v1::GenerateEvent& event) {
    if (event.has_reasoning_delta() && style_.reasoning) {
      Print(style_.color ? absl::StrCat(kDim, event.reasoning_delta().text(), kPlain)
                         : event.reasoning_delta().text());
      in_reasoning_ = true;
    } else if (event.has_text_delta()) {
      Separate();
      Print(event.text_delta().text());
    } else if (event.has_tool_call_delta()) {
      Separate();
      const v1::ToolCallDelta& call = event.tool_call_delta();
      Print(call.name().empty() ? call.arguments()
                                : absl::StrCat("\n[call ", call.name(), "] ", call.arguments()));
    } else if (event.has_finish()) {
      Print("\n");
      ShowFinish(event.finish());
    }
  }

 private:
  void Separate() {
    if (in_reasoning_) Print("\n\n");
    in_reasoning_ = false;
  }

  static void ShowFinish(const v1::Finish& finish) {
    const v1::Usage& usage = finish.usage();
    std::fprintf(stderr,
                 "[%s: %d prompt tokens, %d output tokens (%d reasoning), first after %.0f ms, all "
                 "after %.0f ms]\n",
                 v1::FinishReason_Name(finish.reason()).c_str(), usage.prompt_tokens(),
                 usage.output_tokens(), usage.reasoning_tokens(),
                 finish.timings().ttft_seconds() * 1e3, finish.timings().total_seconds() * 1e3);
  }

  const ChatStyle style_;
  bool in_reasoning_ = false;
};

}  // namespace

absl::Status Chat(v1::Inference::StubInterface& api, const v1::ChatRequest& request,
                  const ChatStyle& style) {
  grpc::ClientContext context;
  const auto reader = api.Chat(&context, request);
  Screen screen(style);
  v1::GenerateEvent event;
  while (reader->Read(&event)) screen.Show(event);
  return FromGrpc(reader->Finish());
}

absl::Status Models(v1::Models::StubInterface& api) {
  grpc::ClientContext context;
  v1::ListModelsResponse response;
  const grpc::Status status = api.List(&context, {}, &response);
  for (const v1::Model& model : response.models()) Print(model.DebugString());
  return FromGrpc(status);
}

absl::Status Render(v1::Inference::StubInterface& api, const v1::ChatRequest& request) {
  grpc::ClientContext context;
  v1::RenderPromptResponse response;
  const grpc::Status status = api.RenderPrompt(&context, request, &response);
  if (status.ok())
    Print(absl::StrCat(response.text(), "\n", absl::StrJoin(response.ids(), " "), "\n"));
  return FromGrpc(status);
}

absl::Status Tokenize(v1::Inference::StubInterface& api, const std::string& text) {
  grpc::ClientContext context;
  v1::TokenizeRequest request;
  request.set_text(text);
  v1::TokenizeResponse response;
  const grpc::Status status = api.Tokenize(&context, request, &response);
  if (status.ok()) Print(absl::StrCat(absl::StrJoin(response.ids(), " "), "\n"));
  return FromGrpc(status);
}

}  // namespace shoal
