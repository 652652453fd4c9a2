// A generation's stream added up into one answer.

#ifndef SHOAL_SERVICES_ROUTER_FRONTDOOR_UNARY_AGGREGATE_H_
#define SHOAL_SERVICES_ROUTER_FRONTDOOR_UNARY_AGGREGATE_H_

#include <grpcpp/support/server_callback.h>

#include <functional>
#include <memory>

#include "shoal/v1/inference.pb.h"

#include "runtime/base/mutex.h"
#include "services/router/session/outbox.h"

namespace shoal {

// Adds `event` to `sum`: the sum over a whole stream is what ChatComplete answers.
void Add(const v1::GenerateEvent& event, v1::ChatCompletion* sum);

// The unary counterpart of EventWriter. Deletes itself when gRPC is done with it.
class AggregateReactor : public grpc::ServerUnaryReactor {
 public:
  // `response` lives as long as the call. `on_gone` as in EventWriter.
  AggregateReactor(std::shared_ptr<Outbox> outbox, v1::ChatCompletion* response,
                   std::function<void()> on_gone);
  void Begin();  // as in EventWriter
  void OnCancel() override;
  void OnDone() override;

 private:
  void Pump();

  const std::shared_ptr<Outbox> outbox_;
  v1::ChatCompletion* const response_;
  const std::function<void()> on_gone_;
  bool finished_ = false;  // used under the outbox's wake lock only
};

}  // namespace shoal

#endif  // SHOAL_SERVICES_ROUTER_FRONTDOOR_UNARY_AGGREGATE_H_
