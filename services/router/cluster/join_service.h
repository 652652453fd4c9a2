// The gRPC face of membership: carries messages between Join streams and one handler.

#ifndef SHOAL_SERVICES_ROUTER_CLUSTER_JOIN_SERVICE_H_
#define SHOAL_SERVICES_ROUTER_CLUSTER_JOIN_SERVICE_H_

#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "shoal/v1/cluster.grpc.pb.h"

#include "runtime/base/mutex.h"
#include "services/router/cluster/membership.h"

namespace shoal {

// Called from gRPC's threads; must not block. Calls for one connection are serial, OnJoinClosed is
// the last.
class JoinHandler {
 public:
  virtual ~JoinHandler() = default;
  virtual void OnJoinMessage(ConnectionId from, const v1::WorkerMessage& message) = 0;
  virtual void OnJoinClosed(ConnectionId connection, const std::string& why) = 0;
};

// `handler` outlives the server that this is registered with. Any thread.
class JoinService final : public v1::Membership::CallbackService {
 public:
  explicit JoinService(JoinHandler& handler) : handler_(handler) {}

  grpc::ServerBidiReactor<v1::WorkerMessage, v1::RouterMessage>* Join(
      grpc::CallbackServerContext* context) override;

  // Words to a connection that is gone are dropped.
  void Send(ConnectionId to, v1::RouterMessage message);
  // Ends the stream when what was sent before has left.
  void Close(ConnectionId connection);
  void CloseAll();

 private:
  class Stream;
  void Forget(ConnectionId connection);

  JoinHandler& handler_;
  Mutex mu_;
  ConnectionId next_ ABSL_GUARDED_BY(mu_) = 1;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  absl::flat_hash_map<ConnectionId, Stream*> streams_ ABSL_GUARDED_BY(mu_);
};

}  // namespace shoal

#endif  // SHOAL_SERVICES_ROUTER_CLUSTER_JOIN_SERVICE_H_
