// A router: everything between its configuration and its ports.

#ifndef SHOAL_SERVICES_ROUTER_ROUTER_H_
#define SHOAL_SERVICES_ROUTER_ROUTER_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "prometheus/registry.h"
#include "shoal/v1/config.pb.h"

#include "runtime/base/clock.h"
#include "runtime/base/logging.h"
#include "runtime/metrics/process_metrics.h"
#include "runtime/metrics/router_metrics.h"
#include "services/common/grpc_server.h"
#include "services/common/metrics_server.h"
#include "services/router/cluster/cluster_backend.h"
#include "services/router/frontdoor/inference_service.h"
#include "services/router/frontdoor/models_service.h"
#include "services/router/served_model.h"
#include "services/router/session/generation_table.h"

namespace shoal {

// What is left unset in the file, set. INVALID_ARGUMENT names the field and the bound.
absl::StatusOr<v1::RouterConfig> CompleteRouterConfig(v1::RouterConfig config);

// Owned by main. Three ports: the public API, control (workers and operators), metrics.
class Router {
 public:
  // Binds every port and begins to admit workers. Errors name the field, file or address.
  static absl::StatusOr<std::unique_ptr<Router>> Start(const v1::RouterConfig& config,
                                                       const Clock& clock, Logger& log);
  ~Router();

  // Name and address of each port.
  std::vector<std::pair<std::string, std::string>> addresses() const;

  // Tells health checks whether the group serves. Call every now and then.
  void UpdateHealth();

  // No new generations; those that run may finish within the configured time. Then everything ends.
  void Drain();

 private:
  Router(const v1::RouterConfig& config, ServedModel model, const Clock& clock, Logger& log);
  absl::Status StartBackend();
  absl::Status StartServers();

  const v1::RouterConfig config_;
  const ServedModel model_;
  const Clock& clock_;
  Logger& log_;
  const std::shared_ptr<prometheus::Registry> registry_ = std::make_shared<prometheus::Registry>();
  RouterMetrics metrics_{*registry_};
  ProcessMetrics process_metrics_;
  // In the order in which they depend on each other.
  std::unique_ptr<ClusterBackend> backend_;
  std::unique_ptr<GenerationTable> table_;
  std::unique_ptr<InferenceService> inference_;
  std::unique_ptr<ModelsService> models_;
  std::unique_ptr<MetricsServer> metrics_server_;
  std::unique_ptr<GrpcServer> control_;
  std::unique_ptr<GrpcServer> api_;
  bool drained_ = false;
};

}  // namespace shoal

#endif  // SHOAL_SERVICES_ROUTER_ROUTER_H_
