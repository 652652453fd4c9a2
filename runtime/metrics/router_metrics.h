#ifndef SHOAL_RUNTIME_METRICS_ROUTER_METRICS_H_
#define SHOAL_RUNTIME_METRICS_ROUTER_METRICS_H_

#include <string_view>

#include "absl/status/status.h"
#include "prometheus/counter.h"
#include "prometheus/family.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"

namespace shoal {

// Every metric of a router, named once (help texts stand in router_metrics.cc).
// The registry must outlive it. All members may be used from any thread.
struct RouterMetrics {
  explicit RouterMetrics(prometheus::Registry& registry);

  prometheus::Gauge& running;                    // shoal_requests_running
  prometheus::Gauge& waiting;                    // shoal_requests_waiting
  prometheus::Histogram& ttft_seconds;           // shoal_request_ttft_seconds
  prometheus::Histogram& itl_seconds;            // shoal_request_itl_seconds
  prometheus::Histogram& e2e_seconds;            // shoal_request_e2e_seconds
  prometheus::Histogram& queue_seconds;          // shoal_request_queue_seconds
  prometheus::Histogram& request_prompt_tokens;  // shoal_request_prompt_tokens
  prometheus::Histogram& request_output_tokens;  // shoal_request_output_tokens
  prometheus::Counter& prompt_tokens;            // shoal_prompt_tokens_total
  // shoal_output_tokens_total{kind}
  prometheus::Counter& output_tokens_reasoning;
  prometheus::Counter& output_tokens_text;
  prometheus::Gauge& ranks_live;     // shoal_ep_ranks{state="live"}
  prometheus::Gauge& ranks_loading;  // shoal_ep_ranks{state="loading"}
  prometheus::Gauge& ranks_lost;     // shoal_ep_ranks{state="lost"}
  prometheus::Gauge& epoch;          // shoal_ep_epoch

  // shoal_requests_total{method,code,finish_reason}. Labels are bounded whatever
  // a client sends: a method or reason that is not in the tables of
  // router_metrics.cc counts as "other". `method` is the RPC's name ("Chat");
  // `finish_reason` is the API's ("STOP"), empty without one.
  void CountRequest(std::string_view method, absl::StatusCode code, std::string_view finish_reason);

 private:
  prometheus::Family<prometheus::Counter>& requests_;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_METRICS_ROUTER_METRICS_H_
