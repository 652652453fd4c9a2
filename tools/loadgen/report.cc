#include "tools/loadgen/report.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"

#include "runtime/base/sha256.h"
#include "services/common/error.h"

namespace shoal::loadgen {
namespace {

std::string OutcomeOf(const RequestRecord& record) {
  if (record.hung) return "hung";
  if (record.status.ok()) return v1::FinishReason_Name(record.finish);
  if (record.cancelled && absl::IsCancelled(record.status)) return "cancelled";
  const std::string code = absl::StatusCodeToString(record.status.code());
  const std::string reason = ReasonOf(record.status);
  return reason.empty() ? code : absl::StrCat(code, " (", reason, ")");
}

bool CountsForLatency(const RequestRecord& record) {
  return !record.disturbed && record.status.ok() && record.violation.empty() &&
         (record.finish == v1::STOP || record.finish == v1::LENGTH);
}

bool HasFinish(const RequestRecord& record) {
  return record.finish != v1::FINISH_REASON_UNSPECIFIED;
}

double Ttft(const RequestRecord& record) {
  return absl::ToDoubleSeconds(std::min(record.first_delta, record.ended) - record.intended);
}

// Nothing where one delta brought all.
std::optional<double> Tpot(const RequestRecord& record) {
  const int64_t later = record.delta_tokens - record.first_delta_tokens;
  if (later < 1) return std::nullopt;
  return absl::ToDoubleSeconds(record.last_delta - record.first_delta) / static_cast<double>(later);
}

// The vectors behind a report's percentiles.
struct Latencies {
  std::vector<double> ttft, tpot, itl, e2e;

  void Add(const RequestRecord& record) {
    ttft.push_back(Ttft(record));
    if (const auto seconds = Tpot(record)) tpot.push_back(*seconds);
    itl.insert(itl.end(), record.gaps_seconds.begin(), record.gaps_seconds.end());
    e2e.push_back(absl::ToDoubleSeconds(record.ended - record.intended));
  }
};

bool Keeps(const Slo& slo, const RequestRecord& record) {
  return absl::Seconds(Ttft(record)) <= slo.ttft &&
         absl::Seconds(Tpot(record).value_or(0)) <= slo.tpot;
}

void CountViolation(const RequestRecord& record, Report* report) {
  if (record.violation.empty()) return;
  ++report->violations;
  if (std::ssize(report->first_violations) < Report::kListedViolations) {
    report->first_violations.push_back({record.index, record.violation});
  }
}

}  // namespace

Report ReportOf(const std::vector<RequestRecord>& records, const Slo& slo, absl::Duration max_lag) {
  Report report = {.requests = std::ssize(records), .slo = slo, .max_lag = max_lag};
  Latencies latencies;
  std::vector<double> lag;
  Sha256 outputs;
  absl::Time begin = absl::InfiniteFuture(), end = absl::InfinitePast();
  for (const RequestRecord& record : records) {
    begin = std::min(begin, record.intended);
    end = std::max(end, record.ended);
    lag.push_back(absl::ToDoubleSeconds(record.started - record.intended));
    if (!record.disturbed) ++report.undisturbed;
    ++report.outcomes[OutcomeOf(record)];
    if (HasFinish(record)) report.prompt_tokens += record.usage.prompt_tokens();
    report.output_tokens += HasFinish(record) ? record.usage.output_tokens() : record.delta_tokens;
    CountViolation(record, &report);
    if (!CountsForLatency(record)) continue;
    latencies.Add(record);
    if (Keeps(slo, record)) ++report.good;
    outputs.Update(absl::StrCat(record.index, " ", record.output_hash, "\n"));
  }
  if (!records.empty()) report.seconds = absl::ToDoubleSeconds(end - begin);
  report.ttft = PercentilesOf(std::move(latencies.ttft));
  report.tpot = PercentilesOf(std::move(latencies.tpot));
  report.itl = PercentilesOf(std::move(latencies.itl));
  report.e2e = PercentilesOf(std::move(latencies.e2e));
  report.lag = PercentilesOf(std::move(lag));
  report.outputs_digest = HexOf(outputs.Finish());
  return report;
}

}  // namespace shoal::loadgen
