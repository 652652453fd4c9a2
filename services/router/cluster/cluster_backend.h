// The cluster as the sessions see it: membership, data streams and the thread that drives them.

#ifndef SHOAL_SERVICES_ROUTER_CLUSTER_CLUSTER_BACKEND_H_
#define SHOAL_SERVICES_ROUTER_CLUSTER_CLUSTER_BACKEND_H_

#include <grpcpp/impl/codegen/service_type.h>

#include <memory>
#include <string>
#include <vector>

#include "runtime/base/clock.h"
#include "runtime/base/logging.h"
#include "runtime/metrics/process_metrics.h"
#include "runtime/metrics/router_metrics.h"
#include "services/router/backend.h"
#include "services/router/cluster/membership.h"

namespace shoal {

// One control thread owns the membership machine and the links' lives; tokens go straight from
// gRPC's threads to the listener. OnRankLost is called from the control thread, and a new epoch's
// Submit is possible only after every OnRankLost of the old one has returned.
class ClusterBackend : public Backend {
 public:
  struct Surroundings {  // all outlive the backend
    const Clock& clock;
    Logger& log;
    RouterMetrics& metrics;
    ProcessMetrics& process_metrics;
  };
  static std::unique_ptr<ClusterBackend> Create(MembershipOptions options,
                                                const Surroundings& surroundings);
  ~ClusterBackend() override = default;  // Stop()

  // Begins to admit workers. `listener` outlives Stop(). REQUIRES: called once.
  virtual void Start(BackendListener& listener) = 0;
  // Ends every stream; the listener hears nothing more. Call before the control server's Shutdown.
  virtual void Stop() = 0;

  // Membership and Cluster, for the control port's server; valid as long as the backend.
  virtual std::vector<grpc::Service*> control_services() = 0;

  // What the group agreed on; empty until a worker was admitted.
  struct Agreed {
    std::string weight_digest, numerics_id;
  };
  virtual Agreed agreed() const = 0;
};

}  // namespace shoal

#endif  // SHOAL_SERVICES_ROUTER_CLUSTER_CLUSTER_BACKEND_H_
