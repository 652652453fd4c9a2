// A gRPC server on a Listener: health, reflection, limits.

#ifndef SHOAL_SERVICES_COMMON_GRPC_SERVER_H_
#define SHOAL_SERVICES_COMMON_GRPC_SERVER_H_

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "services/common/listener.h"

namespace shoal {

struct GrpcServerOptions {
  std::string listen;                    // HOST:PORT; port 0 picks one
  std::vector<grpc::Service*> services;  // outlive the server
  int max_receive_bytes = 4 << 20;       // one message from a peer
  int max_metadata_bytes = 16 << 10;
  bool reflection = false;
};

// Destroying it shuts down at once; Shutdown(deadline) lets calls finish first.
class GrpcServer {
 public:
  static absl::StatusOr<std::unique_ptr<GrpcServer>> Start(const GrpcServerOptions& options);
  ~GrpcServer();

  const std::string& address() const { return listener_->address(); }

  int64_t connections_shed() const { return listener_->shed(); }  // see listener.h

  // grpc.health.v1, for `service` ("" is the whole server). Starts as NOT_SERVING.
  void SetServing(const std::string& service, bool serving);

  // Stops accepting, answers what runs until `deadline`, then cancels it. Idempotent.
  void Shutdown(absl::Duration grace);

 private:
  GrpcServer() = default;
  std::unique_ptr<Listener> listener_;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace shoal

#endif  // SHOAL_SERVICES_COMMON_GRPC_SERVER_H_
