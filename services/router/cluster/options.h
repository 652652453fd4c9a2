// A router's membership options from its configuration.

#ifndef SHOAL_SERVICES_ROUTER_CLUSTER_OPTIONS_H_
#define SHOAL_SERVICES_ROUTER_CLUSTER_OPTIONS_H_

#include <string>

#include "absl/status/statusor.h"
#include "shoal/v1/config.pb.h"

#include "services/router/cluster/membership.h"

namespace shoal {

// What the router knows of the model from its own files.
struct ModelShape {
  std::string config_digest, tokenizer_digest;
  int moe_layers = 0, experts = 0;  // no layers: a dense model
};

// Draws the incarnation and the key secret. INVALID_ARGUMENT names the field: no cluster, no group
// size, experts that the group size does not divide, a beat that is not well below the lease.
absl::StatusOr<MembershipOptions> MakeMembershipOptions(const v1::RouterConfig& config,
                                                        const ModelShape& model);

}  // namespace shoal

#endif  // SHOAL_SERVICES_ROUTER_CLUSTER_OPTIONS_H_
