// The public API: Inference.

#ifndef SHOAL_SERVICES_ROUTER_FRONTDOOR_INFERENCE_SERVICE_H_
#define SHOAL_SERVICES_ROUTER_FRONTDOOR_INFERENCE_SERVICE_H_

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "shoal/v1/inference.grpc.pb.h"

#include "runtime/base/clock.h"
#include "runtime/metrics/router_metrics.h"
#include "services/router/frontdoor/request.h"
#include "services/router/served_model.h"
#include "services/router/session/generation_table.h"

namespace shoal {

// Thin: a request is validated, becomes a Generation, and its outbox is written to the client.
// Thread-safe.
class InferenceService : public v1::Inference::CallbackService {
 public:
  // All outlive the service.
  InferenceService(const ServedModel& model, GenerationTable& table, const Clock& clock,
                   RouterMetrics& metrics);

  grpc::ServerWriteReactor<v1::GenerateEvent>* Chat(grpc::CallbackServerContext* context,
                                                    const v1::ChatRequest* request) override;
  grpc::ServerWriteReactor<v1::GenerateEvent>* Generate(
      grpc::CallbackServerContext* context, const v1::GenerateRequest* request) override;
  grpc::ServerUnaryReactor* ChatComplete(grpc::CallbackServerContext* context,
                                         const v1::ChatRequest* request,
                                         v1::ChatCompletion* response) override;
  grpc::ServerUnaryReactor* Cancel(grpc::CallbackServerContext* context,
                                   const v1::CancelRequest* request,
                                   v1::CancelResponse* response) override;
  grpc::ServerUnaryReactor* Tokenize(grpc::CallbackServerContext* context,
                                     const v1::TokenizeRequest* request,
                                     v1::TokenizeResponse* response) override;
  grpc::ServerUnaryReactor* Detokenize(grpc::CallbackServerContext* context,
                                       const v1::DetokenizeRequest* request,
                                       v1::DetokenizeResponse* response) override;
  grpc::ServerUnaryReactor* RenderPrompt(grpc::CallbackServerContext* context,
                                         const v1::ChatRequest* request,
                                         v1::RenderPromptResponse* response) override;
  grpc::ServerUnaryReactor* CountTokens(grpc::CallbackServerContext* context,
                                        const v1::ChatRequest* request,
                                        v1::CountTokensResponse* response) override;

 private:
  // Validates and places the generation. On success the outbox hears all of it; returns its id.
  template <typename Request>
  absl::StatusOr<std::string> Start(std::string_view method,
                                    const grpc::CallbackServerContext& context,
                                    const Request& request, const std::shared_ptr<Outbox>& outbox);
  template <typename Request>
  grpc::ServerWriteReactor<v1::GenerateEvent>* Stream(std::string_view method,
                                                      const grpc::CallbackServerContext& context,
                                                      const Request& request);

  const ServedModel& model_;
  GenerationTable& table_;
  const Clock& clock_;
  RouterMetrics& metrics_;
};

}  // namespace shoal

#endif  // SHOAL_SERVICES_ROUTER_FRONTDOOR_INFERENCE_SERVICE_H_
