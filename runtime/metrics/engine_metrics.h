#ifndef SHOAL_RUNTIME_METRICS_ENGINE_METRICS_H_
#define SHOAL_RUNTIME_METRICS_ENGINE_METRICS_H_

#include <vector>

#include "prometheus/counter.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"

namespace shoal {

// Every metric of one worker's engine, named once (names and help texts stand in
// engine_metrics.cc).  The registry must outlive it.  All members may be used from any thread.
struct EngineMetrics {
  EngineMetrics(prometheus::Registry& registry, int moe_layers, int experts);

  prometheus::Gauge& running;           // shoal_requests_running
  prometheus::Gauge& waiting;           // shoal_requests_waiting
  prometheus::Gauge& kv_free;           // shoal_kv_blocks{state="free"}
  prometheus::Gauge& kv_used;           // shoal_kv_blocks{state="used"}
  prometheus::Counter& steps;           // shoal_steps_total
  prometheus::Counter& prompt_tokens;   // shoal_prompt_tokens_total
  prometheus::Counter& output_tokens;   // shoal_output_tokens_total
  prometheus::Histogram& batch_tokens;  // shoal_batch_tokens
  prometheus::Histogram& step_agree;    // shoal_step_seconds{phase=...}
  prometheus::Histogram& step_attend;
  prometheus::Histogram& step_dispatch;
  prometheus::Histogram& step_experts;
  prometheus::Histogram& step_combine;
  prometheus::Histogram& step_head;
  prometheus::Histogram& step_sample;
  prometheus::Counter& exchange_seconds_dispatch;  // shoal_exchange_seconds_total{op=...}
  prometheus::Counter& exchange_seconds_combine;
  prometheus::Counter& exchange_bytes_sent;  // shoal_exchange_bytes_total{direction=...}
  prometheus::Counter& exchange_bytes_received;
  // [moe_layers][experts], by logical expert: shoal_expert_tokens_total{layer,expert}
  std::vector<std::vector<prometheus::Counter*>> expert_tokens;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_METRICS_ENGINE_METRICS_H_
