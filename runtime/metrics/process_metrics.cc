#include "runtime/metrics/process_metrics.h"

namespace shoal {

ProcessMetrics::ProcessMetrics(prometheus::Registry& registry, const std::string& component,
                               const std::string& version)
    : build_info(prometheus::BuildGauge()
                     .Name("shoal_build_info")
                     .Help("Always 1; the labels say what runs here.")
                     .Register(registry)
                     .Add({{"component", component}, {"version", version}})),
      weights_load_progress(prometheus::BuildGauge()
                                .Name("shoal_weights_load_progress_ratio")
                                .Help("Share of the model's weights that is loaded.")
                                .Register(registry)
                                .Add({})) {
  build_info.Set(1);
}

}  // namespace shoal
