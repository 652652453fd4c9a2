#include <string>

#include "nlohmann/json.hpp"

#include "tools/loadgen/report_text.h"

namespace shoal::loadgen {
namespace {

using Json = nlohmann::ordered_json;

Json JsonFor(const Percentiles& p) {
  return {{"count", p.count}, {"mean", p.mean}, {"p50", p.p50}, {"p90", p.p90},
          {"p95", p.p95},     {"p99", p.p99},   {"max", p.max}};
}

// JSON has no infinity.
Json JsonFor(absl::Duration bound) {
  return bound == absl::InfiniteDuration() ? Json(nullptr) : Json(absl::ToDoubleSeconds(bound));
}

Json Described(const RunDescription& run) {
  Json options = Json::object();
  for (const auto& [name, value] : run.options) options[name] = value;
  return {
      {"options", options},
      {"seed", run.workload.seed},
      {"open_loop", run.workload.arrivals.open_loop()},
      {"workload_digest", run.workload_digest},
      {"model",
       {{"name", run.model.name()},
        {"architecture", run.model.architecture()},
        {"weight_format", run.model.weight_format()},
        {"weight_digest", run.model.weight_digest()},
        {"numerics_id", run.model.numerics_id()}}},
      {"machine",
       {{"cpu", run.machine.cpu}, {"cores", run.machine.cores}, {"system", run.machine.system}}},
      {"generator_cpu_seconds", run.generator_cpu_seconds}};
}

Json Measured(const Report& report) {
  return {{"requests", report.requests},
          {"seconds", report.seconds},
          {"outcomes", report.outcomes},
          {"outputs_digest", report.outputs_digest},
          {"tokens", {{"prompt", report.prompt_tokens}, {"output", report.output_tokens}}},
          {"throughput",
           {{"requests_per_second", report.PerSecond(report.requests)},
            {"prompt_tokens_per_second", report.PerSecond(report.prompt_tokens)},
            {"output_tokens_per_second", report.PerSecond(report.output_tokens)}}},
          {"latency_seconds",
           {{"ttft", JsonFor(report.ttft)},
            {"tpot", JsonFor(report.tpot)},
            {"itl", JsonFor(report.itl)},
            {"e2e", JsonFor(report.e2e)}}},
          {"goodput",
           {{"slo_ttft_seconds", JsonFor(report.slo.ttft)},
            {"slo_tpot_seconds", JsonFor(report.slo.tpot)},
            {"requests", report.good},
            {"requests_per_second", report.PerSecond(report.good)},
            {"share", report.good_share()}}},
          {"lag_seconds", JsonFor(report.lag)},
          {"void", report.late()}};
}

}  // namespace

std::string JsonOf(const RunDescription& run, const Report& report) {
  Json json = {{"schema", kReportSchema}};
  json.update(Described(run));
  json.update(Measured(report));
  Json listed = Json::array();
  for (const Report::Violation& violation : report.first_violations) {
    listed.push_back({{"request", violation.request}, {"what", violation.what}});
  }
  json["violations"] = {{"count", report.violations}, {"first", listed}};
  return json.dump(2) + "\n";
}

}  // namespace shoal::loadgen
