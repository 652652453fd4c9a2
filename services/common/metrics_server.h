// The /metrics port: prometheus-cpp's exposer behind an error that names the address.

#ifndef SHOAL_SERVICES_COMMON_METRICS_SERVER_H_
#define SHOAL_SERVICES_COMMON_METRICS_SERVER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "prometheus/exposer.h"
#include "prometheus/registry.h"

namespace shoal {

class MetricsServer {
 public:
  // `listen` is HOST:PORT; port 0 picks one. UNAVAILABLE names the address when it cannot be bound.
  static absl::StatusOr<std::unique_ptr<MetricsServer>> Start(
      const std::string& listen, std::shared_ptr<prometheus::Registry> registry);

  const std::string& address() const { return address_; }

 private:
  MetricsServer() = default;
  std::shared_ptr<prometheus::Registry> registry_;
  std::unique_ptr<prometheus::Exposer> exposer_;
  std::string address_;
};

}  // namespace shoal

#endif  // SHOAL_SERVICES_COMMON_METRICS_SERVER_H_
