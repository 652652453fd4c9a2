// The public API: Models.

#ifndef SHOAL_SERVICES_ROUTER_FRONTDOOR_MODELS_SERVICE_H_
#define SHOAL_SERVICES_ROUTER_FRONTDOOR_MODELS_SERVICE_H_

#include <functional>
#include <utility>

#include "shoal/v1/inference.grpc.pb.h"

#include "services/router/frontdoor/request.h"
#include "services/router/served_model.h"

namespace shoal {

// What only the group knows of the model; empty until one has formed.
struct GroupModelFacts {
  std::string weight_digest;
  std::string numerics_id;
};

// Thread-safe.
class ModelsService : public v1::Models::CallbackService {
 public:
  using Facts = std::function<GroupModelFacts()>;
  // `model` outlives the service; `facts` may be called from any thread.
  ModelsService(const ServedModel& model, Facts facts) : model_(model), facts_(std::move(facts)) {}

  grpc::ServerUnaryReactor* List(grpc::CallbackServerContext* context,
                                 const v1::ListModelsRequest* request,
                                 v1::ListModelsResponse* response) override;
  grpc::ServerUnaryReactor* Get(grpc::CallbackServerContext* context,
                                const v1::GetModelRequest* request, v1::Model* response) override;

 private:
  v1::Model Describe() const;

  const ServedModel& model_;
  const Facts facts_;
};

}  // namespace shoal

#endif  // SHOAL_SERVICES_ROUTER_FRONTDOOR_MODELS_SERVICE_H_
