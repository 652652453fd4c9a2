#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

#include "tools/loadgen/report_text.h"

namespace shoal::loadgen {
namespace {

std::string Row(absl::string_view name, const Percentiles& p) {
  if (p.count == 0) return absl::StrFormat("%-10s %8d\n", name, 0);
  return absl::StrFormat("%-10s %8d %9.2f %9.2f %9.2f %9.2f %9.2f %9.2f\n", name, p.count,
                         p.mean * 1e3, p.p50 * 1e3, p.p90 * 1e3, p.p95 * 1e3, p.p99 * 1e3,
                         p.max * 1e3);
}

std::string Latencies(const Report& report) {
  return absl::StrCat(absl::StrFormat("%-10s %8s %9s %9s %9s %9s %9s %9s\n", "ms", "count", "mean",
                                      "p50", "p90", "p95", "p99", "max"),
                      Row("TTFT", report.ttft), Row("TPOT", report.tpot), Row("ITL", report.itl),
                      Row("end to end", report.e2e), Row("lag", report.lag));
}

std::string Goodput(const Report& report) {
  return absl::StrFormat(
      "goodput    %.2f/s, %.2f%% of %d undisturbed, with TTFT <= %s, TPOT <= %s\n",
      report.PerSecond(report.good), report.good_share() * 100, report.undisturbed,
      absl::FormatDuration(report.slo.ttft), absl::FormatDuration(report.slo.tpot));
}

std::string Verdict(const Report& report) {
  std::string lines;
  if (report.late()) {
    absl::StrAppendFormat(&lines,
                          "VOID: the generator was late: lag p99 %.2f ms, --max_lag=%s; its "
                          "machine is too busy for this load\n",
                          report.lag.p99 * 1e3, absl::FormatDuration(report.max_lag));
  }
  if (report.violations == 0) return lines + "every stream kept its contract\n";
  absl::StrAppendFormat(&lines, "%d STREAMS BROKE THEIR CONTRACT:\n", report.violations);
  for (const Report::Violation& violation : report.first_violations) {
    absl::StrAppendFormat(&lines, "  request %d: %s\n", violation.request, violation.what);
  }
  return lines;
}

}  // namespace

std::string TableOf(const RunDescription& run, const Report& report) {
  const bool open = run.workload.arrivals.open_loop();
  return absl::StrCat(
      open ? "open loop " : "closed loop ", run.workload.arrivals.text, ", prompts ",
      run.workload.prompt_tokens.text, ", outputs ", run.workload.output_tokens.text, ", seed ",
      run.workload.seed, "\n",
      absl::StrFormat("model      %s (%s), %s, %d cores\n", run.model.name(),
                      run.model.numerics_id(), run.machine.cpu, run.machine.cores),
      absl::StrFormat("digests    workload %.16s, outputs %.16s\n", run.workload_digest,
                      report.outputs_digest),
      absl::StrFormat("requests   %d in %.2f s (%.2f/s): %s\n", report.requests, report.seconds,
                      report.PerSecond(report.requests),
                      absl::StrJoin(report.outcomes, ", ",
                                    [](std::string* out, const auto& outcome) {
                                      absl::StrAppend(out, outcome.second, " ", outcome.first);
                                    })),
      absl::StrFormat("tokens     %d prompt (%.1f/s), %d output (%.1f/s)\n", report.prompt_tokens,
                      report.PerSecond(report.prompt_tokens), report.output_tokens,
                      report.PerSecond(report.output_tokens)),
      Latencies(report), Goodput(report),
      absl::StrFormat("generator  %.2f s of CPU\n", run.generator_cpu_seconds), Verdict(report));
}

}  // namespace shoal::loadgen
