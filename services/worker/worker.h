// A worker: everything between its configuration and its ports.

#ifndef SHOAL_SERVICES_WORKER_WORKER_H_
#define SHOAL_SERVICES_WORKER_WORKER_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "prometheus/registry.h"
#include "shoal/v1/config.pb.h"

#include "runtime/base/clock.h"
#include "runtime/base/logging.h"
#include "runtime/comm/tcp/mesh.h"
#include "runtime/device/device.h"
#include "runtime/metrics/engine_metrics.h"
#include "runtime/metrics/process_metrics.h"
#include "services/common/grpc_server.h"
#include "services/common/metrics_server.h"
#include "services/worker/control.h"
#include "services/worker/generate_service.h"
#include "services/worker/member.h"
#include "services/worker/model_identity.h"
#include "services/worker/rank.h"

namespace shoal {

// What is left unset, set. INVALID_ARGUMENT names the field and the bound.
absl::StatusOr<v1::WorkerConfig> CompleteWorkerConfig(v1::WorkerConfig config);

// Owned by main. Three ports: tokens (routers), mesh (the other ranks), metrics.
class Worker {
 public:
  // Reads the model's headers, binds every port and begins to dial the router. Errors name the
  // field, file or address.
  static absl::StatusOr<std::unique_ptr<Worker>> Start(const v1::WorkerConfig& config, Clock& clock,
                                                       Logger& log);
  ~Worker();

  // Name and address of each port.
  std::vector<std::pair<std::string, std::string>> addresses() const;

  // Why this worker must stop; nothing while it is to run on.
  std::optional<StopWorker> ended() const { return control_->ended(); }

  // Takes nothing new; what this rank and the others still generate may finish until the router
  // releases it or the configured time is over. Returns then.
  void Drain();

 private:
  Worker(const v1::WorkerConfig& config, Clock& clock, Logger& log);
  absl::Status OpenDevice();
  absl::Status StartServers();
  absl::Status StartControl();
  v1::Join Identity() const;

  const v1::WorkerConfig config_;
  Clock& clock_;
  Logger& log_;
  const std::shared_ptr<prometheus::Registry> registry_ = std::make_shared<prometheus::Registry>();
  ProcessMetrics process_metrics_;
  v1::WorkerId id_;
  ModelIdentity model_;
  // In the order in which they depend on each other.
  std::unique_ptr<Device> device_;
  std::unique_ptr<EngineMetrics> engine_metrics_;
  std::unique_ptr<MeshListener> mesh_;
  std::unique_ptr<GenerateService> tokens_;
  std::unique_ptr<MetricsServer> metrics_server_;
  std::unique_ptr<GrpcServer> server_;
  std::unique_ptr<WorkerControl> control_;
  std::unique_ptr<Rank> rank_;
};

}  // namespace shoal

#endif  // SHOAL_SERVICES_WORKER_WORKER_H_
