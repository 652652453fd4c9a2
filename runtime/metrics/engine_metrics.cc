#include "runtime/metrics/engine_metrics.h"

#include <string>

#include "prometheus/family.h"

#include "runtime/metrics/buckets.h"

namespace shoal {
namespace {

using prometheus::BuildCounter;
using prometheus::BuildGauge;
using prometheus::BuildHistogram;
using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;
using prometheus::Labels;
using prometheus::Registry;

// Registering a family again returns the first, so each helper may be called
// once per label value.
Gauge& MakeGauge(Registry& registry, const std::string& name, const std::string& help,
                 const Labels& labels = {}) {
  return BuildGauge().Name(name).Help(help).Register(registry).Add(labels);
}

Counter& MakeCounter(Registry& registry, const std::string& name, const std::string& help,
                     const Labels& labels = {}) {
  return BuildCounter().Name(name).Help(help).Register(registry).Add(labels);
}

Gauge& KvBlocks(Registry& registry, const std::string& state) {
  return MakeGauge(registry, "shoal_kv_blocks", "Blocks of the KV cache by state.",
                   {{"state", state}});
}

Histogram& StepSeconds(Registry& registry, const std::string& phase) {
  return BuildHistogram()
      .Name("shoal_step_seconds")
      .Help("Time of one engine step by phase, summed over the layers.")
      .Register(registry)
      .Add({{"phase", phase}}, StepSecondsBuckets());
}

Counter& ExchangeSeconds(Registry& registry, const std::string& op) {
  return MakeCounter(registry, "shoal_exchange_seconds_total",
                     "Time spent in the exchange of tokens between ranks.", {{"op", op}});
}

Counter& ExchangeBytes(Registry& registry, const std::string& direction) {
  return MakeCounter(registry, "shoal_exchange_bytes_total", "Bytes exchanged with other ranks.",
                     {{"direction", direction}});
}

}  // namespace

EngineMetrics::EngineMetrics(Registry& registry, int moe_layers, int experts)
    : running(
          MakeGauge(registry, "shoal_requests_running", "Generations that take part in steps.")),
      waiting(
          MakeGauge(registry, "shoal_requests_waiting", "Generations that wait to be admitted.")),
      kv_free(KvBlocks(registry, "free")),
      kv_used(KvBlocks(registry, "used")),
      steps(MakeCounter(registry, "shoal_steps_total", "Engine steps that committed.")),
      prompt_tokens(MakeCounter(registry, "shoal_prompt_tokens_total", "Prompt tokens computed.")),
      output_tokens(MakeCounter(registry, "shoal_output_tokens_total", "Tokens sampled.")),
      batch_tokens(BuildHistogram()
                       .Name("shoal_batch_tokens")
                       .Help("Rows that this rank brought to a step.")
                       .Register(registry)
                       .Add({}, BatchTokenBuckets())),
      step_agree(StepSeconds(registry, "agree")),
      step_attend(StepSeconds(registry, "attend")),
      step_dispatch(StepSeconds(registry, "dispatch")),
      step_experts(StepSeconds(registry, "experts")),
      step_combine(StepSeconds(registry, "combine")),
      step_head(StepSeconds(registry, "head")),
      step_sample(StepSeconds(registry, "sample")),
      exchange_seconds_dispatch(ExchangeSeconds(registry, "dispatch")),
      exchange_seconds_combine(ExchangeSeconds(registry, "combine")),
      exchange_bytes_sent(ExchangeBytes(registry, "sent")),
      exchange_bytes_received(ExchangeBytes(registry, "received")) {
  for (int layer = 0; layer < moe_layers; ++layer) {
    std::vector<Counter*>& counters = expert_tokens.emplace_back();
    for (int expert = 0; expert < experts; ++expert) {
      counters.push_back(
          &MakeCounter(registry, "shoal_expert_tokens_total",
                       "Tokens computed by this rank's copy of an expert, by MoE layer.",
                       {{"layer", std::to_string(layer)}, {"expert", std::to_string(expert)}}));
    }
  }
}

}  // namespace shoal
