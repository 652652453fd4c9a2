// One streaming RPC of the public API.

#ifndef SHOAL_SERVICES_ROUTER_FRONTDOOR_EVENT_WRITER_H_
#define SHOAL_SERVICES_ROUTER_FRONTDOOR_EVENT_WRITER_H_

#include <grpcpp/support/server_callback.h>

#include <functional>
#include <memory>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "shoal/v1/inference.pb.h"

#include "runtime/base/mutex.h"
#include "services/router/session/outbox.h"

namespace shoal {

// Writes an outbox to a client, one outstanding write at a time, and ends the call with the
// outbox's status. What comes while a write is out grows together in the outbox. Deletes itself
// when gRPC is done with it.
class EventWriter : public grpc::ServerWriteReactor<v1::GenerateEvent> {
 public:
  // `on_gone` is called, from any thread and maybe more than once, when the client has gone; also
  // after the end. It makes the outbox end if it has not.
  EventWriter(std::shared_ptr<Outbox> outbox, std::function<void()> on_gone);

  // Begins taking from the outbox. REQUIRES: called once, before the reactor is given to gRPC,
  // which keeps back what is started until then: so it cannot be gone when this returns.
  void Begin();

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  void Pump();

  const std::shared_ptr<Outbox> outbox_;
  const std::function<void()> on_gone_;

  Mutex mu_;
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
  v1::GenerateEvent current_;  // belongs to gRPC while writing_
};

}  // namespace shoal

#endif  // SHOAL_SERVICES_ROUTER_FRONTDOOR_EVENT_WRITER_H_
