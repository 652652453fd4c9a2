#ifndef SHOAL_RUNTIME_METRICS_PROCESS_METRICS_H_
#define SHOAL_RUNTIME_METRICS_PROCESS_METRICS_H_

#include <string>

#include "prometheus/gauge.h"
#include "prometheus/registry.h"

namespace shoal {

// What every process of a cluster tells about itself. The registry must outlive
// it. May be used from any thread.
struct ProcessMetrics {
  // `component` is "router" or "worker".
  ProcessMetrics(prometheus::Registry& registry, const std::string& component,
                 const std::string& version);

  prometheus::Gauge& build_info;  // shoal_build_info{component,version}: 1
  // shoal_weights_load_progress_ratio: 0 to 1. On the router: over all workers.
  prometheus::Gauge& weights_load_progress;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_METRICS_PROCESS_METRICS_H_
