// A run in figures.

#ifndef SHOAL_TOOLS_LOADGEN_REPORT_H_
#define SHOAL_TOOLS_LOADGEN_REPORT_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"

#include "tools/loadgen/percentiles.h"
#include "tools/loadgen/request_record.h"

namespace shoal::loadgen {

// What a request must keep to be good. InfiniteDuration: anything.
struct Slo {
  absl::Duration ttft = absl::InfiniteDuration();
  absl::Duration tpot = absl::InfiniteDuration();
};

// Latencies are in seconds, from the intended arrival, of the undisturbed requests that ended by
// STOP or LENGTH:
//   ttft  to the first delta (of an output that shows no token: to the end)
//   tpot  from the first delta to the last, per token that came after the first delta
//   itl   every gap between one delta and the next; a delta may hold several tokens
//   e2e   to the status
struct Report {
  int64_t requests = 0;     // begun
  int64_t undisturbed = 0;  // of them
  double seconds = 0;       // from the first intended arrival to the last end
  // How many by finish reason, "CODE (REASON)" of an error, "cancelled" by their own clients, or
  // "hung".
  std::map<std::string, int64_t> outcomes;
  int64_t prompt_tokens = 0;  // of the requests with a Finish
  int64_t output_tokens = 0;  // all that were received, the unshown end tokens included

  Percentiles ttft, tpot, itl, e2e;
  int64_t good = 0;  // undisturbed, ended by STOP or LENGTH, and kept the SLO
  Slo slo;

  // How late the generator itself made its calls.
  Percentiles lag;
  absl::Duration max_lag;
  bool late() const { return lag.p99 > absl::ToDoubleSeconds(max_lag); }  // then it measured itself

  // SHA-256 of the token ids of the requests that `e2e` counts.
  std::string outputs_digest;

  struct Violation {
    int64_t request;
    std::string what;
  };
  int64_t violations = 0;
  std::vector<Violation> first_violations;  // at most kListedViolations
  static constexpr int kListedViolations = 20;

  double PerSecond(int64_t count) const {
    return seconds > 0 ? static_cast<double>(count) / seconds : 0;
  }
  // Of the undisturbed requests, refused ones included.
  double good_share() const {
    return undisturbed > 0 ? static_cast<double>(good) / static_cast<double>(undisturbed) : 0;
  }
};

// `records` are of one run, by index. The run is void when the p99 of its lag is above `max_lag`.
Report ReportOf(const std::vector<RequestRecord>& records, const Slo& slo, absl::Duration max_lag);

}  // namespace shoal::loadgen

#endif  // SHOAL_TOOLS_LOADGEN_REPORT_H_
