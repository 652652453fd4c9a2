// A whole run: from options to a report.

#ifndef SHOAL_TOOLS_LOADGEN_LOAD_RUN_H_
#define SHOAL_TOOLS_LOADGEN_LOAD_RUN_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "tools/loadgen/report.h"
#include "tools/loadgen/report_text.h"
#include "tools/loadgen/workload_spec.h"

namespace shoal::loadgen {

struct LoadOptions {
  std::string api;  // HOST:PORT of a router's public API
  WorkloadSpec workload;
  Slo slo;
  int connections = 1;                              // requests take them in turn
  absl::Duration drain = absl::Seconds(60);         // for the last requests' ends
  absl::Duration max_lag = absl::Milliseconds(10);  // p99 of a valid run's lag
};

struct LoadResult {
  RunDescription run;  // without `options`
  Report report;
};

// INVALID_ARGUMENT names the flag, its value and the bound.
absl::Status CheckOptions(const LoadOptions& options);

// Asks for the served model, makes the workload fit it, runs it. Errors are of what comes before
// the first request (options, trace, no server there); what happens to requests is in the report.
absl::StatusOr<LoadResult> RunLoad(const LoadOptions& options);

}  // namespace shoal::loadgen

#endif  // SHOAL_TOOLS_LOADGEN_LOAD_RUN_H_
