// Channels between the cluster's own processes.

#ifndef SHOAL_SERVICES_COMMON_CHANNEL_H_
#define SHOAL_SERVICES_COMMON_CHANNEL_H_

#include <grpcpp/channel.h>

#include <memory>
#include <string>

namespace shoal {

// A connection of its own to HOST:PORT, never through a proxy that the environment names, never
// retried by gRPC: who dials decides what a failure means. It connects when first used.
std::shared_ptr<grpc::Channel> DialChannel(const std::string& address);

}  // namespace shoal

#endif  // SHOAL_SERVICES_COMMON_CHANNEL_H_
