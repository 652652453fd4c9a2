#include "services/router/frontdoor/models_service.h"

#include "services/common/error.h"
#include "services/common/unknown_fields.h"

namespace shoal {

v1::Model ModelsService::Describe() const {
  const GroupModelFacts facts = facts_();
  return model_.Describe(facts.weight_digest, facts.numerics_id);
}

grpc::ServerUnaryReactor* ModelsService::List(grpc::CallbackServerContext* context,
                                              const v1::ListModelsRequest* request,
                                              v1::ListModelsResponse* response) {
  const absl::Status known = RefuseUnknownFields(*request);
  if (known.ok()) *response->add_models() = Describe();
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(ToGrpc(known));
  return reactor;
}

grpc::ServerUnaryReactor* ModelsService::Get(grpc::CallbackServerContext* context,
                                             const v1::GetModelRequest* request,
                                             v1::Model* response) {
  absl::Status found = RefuseUnknownFields(*request);
  if (found.ok()) found = CheckModel(model_, request->model());
  if (found.ok()) *response = Describe();
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(ToGrpc(found));
  return reactor;
}

}  // namespace shoal
