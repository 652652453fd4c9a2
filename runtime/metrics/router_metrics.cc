#include "runtime/metrics/router_metrics.h"

#include <array>
#include <string>

#include "absl/algorithm/container.h"

#include "runtime/metrics/buckets.h"

namespace shoal {
namespace {

using prometheus::BuildCounter;
using prometheus::BuildGauge;
using prometheus::BuildHistogram;
using prometheus::Counter;
using prometheus::Gauge;
using prometheus::Histogram;
using prometheus::Labels;
using prometheus::Registry;

constexpr std::array<std::string_view, 11> kMethods = {
    "Chat",       "ChatComplete", "Generate",    "Attach", "Cancel", "Tokenize",
    "Detokenize", "RenderPrompt", "CountTokens", "List",   "Get"};
constexpr std::array<std::string_view, 8> kFinishReasons = {
    "",           "STOP",       "STOP_SEQUENCE", "LENGTH",
    "TOOL_CALLS", "TIME_LIMIT", "CANCELLED",     "REASONING_LIMIT"};

template <size_t n>
std::string Bounded(const std::array<std::string_view, n>& known, std::string_view value) {
  return std::string(absl::c_linear_search(known, value) ? value : "other");
}

Gauge& MakeGauge(Registry& registry, const std::string& name, const std::string& help,
                 const Labels& labels = {}) {
  return BuildGauge().Name(name).Help(help).Register(registry).Add(labels);
}

Histogram& MakeHistogram(Registry& registry, const std::string& name, const std::string& help,
                         const Histogram::BucketBoundaries& buckets) {
  return BuildHistogram().Name(name).Help(help).Register(registry).Add({}, buckets);
}

Counter& OutputTokens(Registry& registry, const std::string& kind) {
  return BuildCounter()
      .Name("shoal_output_tokens_total")
      .Help("Tokens sent to clients, by kind.")
      .Register(registry)
      .Add({{"kind", kind}});
}

Gauge& Ranks(Registry& registry, const std::string& state) {
  return MakeGauge(registry, "shoal_ep_ranks", "Expert-parallel ranks by state.",
                   {{"state", state}});
}

}  // namespace

RouterMetrics::RouterMetrics(Registry& registry)
    : running(MakeGauge(registry, "shoal_requests_running",
                        "Generations that have had their first token.")),
      waiting(MakeGauge(registry, "shoal_requests_waiting",
                        "Generations that wait for their first token.")),
      ttft_seconds(MakeHistogram(registry, "shoal_request_ttft_seconds", "Time to the first token.",
                                 TtftSecondsBuckets())),
      itl_seconds(MakeHistogram(registry, "shoal_request_itl_seconds",
                                "Time between two tokens of a generation.", ItlSecondsBuckets())),
      e2e_seconds(MakeHistogram(registry, "shoal_request_e2e_seconds",
                                "Time from arrival to the last event.", E2eSecondsBuckets())),
      queue_seconds(MakeHistogram(registry, "shoal_request_queue_seconds",
                                  "Time until a rank had the request.", TtftSecondsBuckets())),
      request_prompt_tokens(MakeHistogram(registry, "shoal_request_prompt_tokens",
                                          "Prompt tokens of a request.", TokenBuckets())),
      request_output_tokens(MakeHistogram(registry, "shoal_request_output_tokens",
                                          "Output tokens of a request.", TokenBuckets())),
      prompt_tokens(BuildCounter()
                        .Name("shoal_prompt_tokens_total")
                        .Help("Prompt tokens of accepted requests.")
                        .Register(registry)
                        .Add({})),
      output_tokens_reasoning(OutputTokens(registry, "reasoning")),
      output_tokens_text(OutputTokens(registry, "text")),
      ranks_live(Ranks(registry, "live")),
      ranks_loading(Ranks(registry, "loading")),
      ranks_lost(Ranks(registry, "lost")),
      epoch(MakeGauge(registry, "shoal_ep_epoch", "Number of the committed epoch.")),
      requests_(BuildCounter()
                    .Name("shoal_requests_total")
                    .Help("Requests by method, gRPC code and finish reason.")
                    .Register(registry)) {}

void RouterMetrics::CountRequest(std::string_view method, absl::StatusCode code,
                                 std::string_view finish_reason) {
  requests_
      .Add({{"method", Bounded(kMethods, method)},
            {"code", absl::StatusCodeToString(code)},
            {"finish_reason", Bounded(kFinishReasons, finish_reason)}})
      .Increment();
}

}  // namespace shoal
