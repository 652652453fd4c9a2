// A run in figures: each from records whose figures are plain to see.

#include "tools/loadgen/report.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "nlohmann/json.hpp"

#include "services/common/error.h"
#include "tools/loadgen/report_text.h"

namespace shoal::loadgen {
namespace {

const absl::Time kBegin = absl::FromUnixSeconds(1000);

absl::Time At(double seconds) { return kBegin + absl::Seconds(seconds); }

// Due at `at`, sent 1 ms late; five tokens: two after 0.5 s, then 1, 2 with gaps of 0.1 s; its
// status 0.05 s later.
RequestRecord Finished(int64_t index, double at) {
  RequestRecord record = {.index = index,
                          .intended = At(at),
                          .started = At(at + 0.001),
                          .ended = At(at + 0.75),
                          .first_delta = At(at + 0.5),
                          .last_delta = At(at + 0.7),
                          .first_delta_tokens = 2,
                          .delta_tokens = 5,
                          .gaps_seconds = {0.1f, 0.1f},
                          .output_hash = 99,
                          .finish = v1::LENGTH};
  record.usage.set_prompt_tokens(10);
  record.usage.set_output_tokens(5);
  return record;
}

RequestRecord Refused(int64_t index, double at) {
  return {.index = index,
          .intended = At(at),
          .started = At(at),
          .ended = At(at + 0.01),
          .status = RetryLater(absl::StatusCode::kResourceExhausted, "QUEUE_FULL", absl::Seconds(1),
                               "full")};
}

Report Of(const std::vector<RequestRecord>& records, Slo slo = {}) {
  return ReportOf(records, slo, absl::Milliseconds(10));
}

TEST(ReportTest, LatenciesCountFromTheIntendedArrival) {
  RequestRecord late = Finished(0, 0);
  late.started = At(0.4);  // the generator's fault or a busy client's: the user waited all the same
  const Report report = Of({late});
  EXPECT_NEAR(report.ttft.p50, 0.5, 1e-9);
  EXPECT_NEAR(report.e2e.p50, 0.75, 1e-9);
  EXPECT_NEAR(report.tpot.p50, 0.2 / 3, 1e-9);
  EXPECT_NEAR(report.itl.p50, 0.1, 1e-6);
  EXPECT_EQ(report.itl.count, 2);
  EXPECT_NEAR(report.lag.max, 0.4, 1e-9);
  EXPECT_TRUE(report.late());
  EXPECT_FALSE(Of({Finished(0, 0)}).late());
}

TEST(ReportTest, OutcomesTokensAndThroughput) {
  RequestRecord cancelled = Finished(2, 1);
  cancelled.disturbed = cancelled.cancelled = true;
  cancelled.finish = v1::FINISH_REASON_UNSPECIFIED;
  cancelled.usage.Clear();
  cancelled.delta_tokens = 3;
  cancelled.status = absl::CancelledError("");
  RequestRecord hung = Refused(3, 1);
  hung.hung = true;
  RequestRecord broken = Refused(4, 1);
  broken.status = absl::InternalError("");
  const Report report =
      Of({Finished(0, 0), Refused(1, 0.5), cancelled, hung, broken, Finished(5, 4.25)});
  const std::map<std::string, int64_t> expected = {{"LENGTH", 2},
                                                   {"RESOURCE_EXHAUSTED (QUEUE_FULL)", 1},
                                                   {"cancelled", 1},
                                                   {"hung", 1},
                                                   {"INTERNAL", 1}};
  EXPECT_EQ(report.outcomes, expected);
  EXPECT_EQ(report.seconds, 5);
  EXPECT_EQ(report.prompt_tokens, 20);
  EXPECT_EQ(report.output_tokens, 13);
  EXPECT_EQ(report.PerSecond(report.requests), 6.0 / 5);
  EXPECT_EQ(report.e2e.count, 2);
  EXPECT_EQ(report.undisturbed, 5);
}

TEST(ReportTest, GoodputIsOfAllThatWereNotDisturbed) {
  RequestRecord slow = Finished(1, 0);
  slow.first_delta = slow.last_delta = At(0.6);
  const std::vector<RequestRecord> records = {Finished(0, 0), slow, Refused(2, 0)};
  EXPECT_EQ(Of(records).good, 2);
  EXPECT_EQ(Of(records, {.ttft = absl::Milliseconds(501)}).good, 1);
  EXPECT_EQ(Of(records, {.ttft = absl::Milliseconds(499)}).good, 0);
  EXPECT_EQ(Of(records, {.tpot = absl::Milliseconds(66)}).good, 1);  // `slow` came all at once
  EXPECT_EQ(Of(records).good_share(), 2.0 / 3);
}

TEST(ReportTest, AnOutputOfNoShownTokenHasItsFirstTokenAtItsEnd) {
  RequestRecord silent = Finished(0, 0);
  silent.first_delta = silent.last_delta = absl::InfiniteFuture();
  silent.first_delta_tokens = silent.delta_tokens = 0;
  silent.gaps_seconds.clear();
  const Report report = Of({silent});
  EXPECT_NEAR(report.ttft.max, 0.75, 1e-9);
  EXPECT_EQ(report.tpot.count, 0);
}

TEST(ReportTest, TheOutputsDigestSeesEveryOutput) {
  RequestRecord other = Finished(1, 1);
  other.output_hash = 98;
  const std::string digest = Of({Finished(0, 0), Finished(1, 1)}).outputs_digest;
  EXPECT_EQ(Of({Finished(0, 5), Finished(1, 9)}).outputs_digest, digest);
  EXPECT_NE(Of({Finished(0, 0), other}).outputs_digest, digest);
  EXPECT_NE(Of({Finished(0, 0)}).outputs_digest, digest);
}

TEST(ReportTest, ViolationsAreCountedAndListedAndNotMeasured) {
  std::vector<RequestRecord> records;
  for (int i = 0; i < 30; ++i) {
    records.push_back(Finished(i, i));
    records.back().violation = "seq 3, expected 2";
  }
  const Report report = Of(records);
  EXPECT_EQ(report.violations, 30);
  EXPECT_EQ(std::ssize(report.first_violations), Report::kListedViolations);
  EXPECT_EQ(report.e2e.count, 0);
}

TEST(ReportTest, NothingAtAll) {
  const Report report = Of({});
  EXPECT_EQ(report.PerSecond(report.requests), 0);
  EXPECT_EQ(report.good_share(), 0);
}

RunDescription Described() {
  RunDescription run = {.options = {{"seed", "7"}, {"json", "a\"b"}},
                        .workload = {.requests = 2, .seed = 7},
                        .workload_digest = std::string(64, 'd')};
  run.workload.arrivals = *ParseArrivals("poisson:20");
  run.machine = ThisMachine();
  return run;
}

TEST(ReportTextTest, JsonHoldsTheRunAndIsJson) {
  RequestRecord late = Finished(0, 0);
  late.started = At(0.1);
  late.violation = "seq 3, expected 2";
  const auto json = nlohmann::json::parse(
      JsonOf(Described(), Of({late, Finished(1, 1)}, {.ttft = absl::Seconds(1)})));
  EXPECT_EQ(json["schema"], kReportSchema);
  EXPECT_EQ(json["options"]["json"], "a\"b");
  EXPECT_EQ(json["seed"], 7);
  EXPECT_EQ(json["open_loop"], true);
  EXPECT_EQ(json["outcomes"]["LENGTH"], 2);
  EXPECT_NEAR(json["latency_seconds"]["ttft"]["p99"].get<double>(), 0.5, 1e-9);
  EXPECT_EQ(json["goodput"]["slo_ttft_seconds"], 1.0);
  EXPECT_TRUE(json["goodput"]["slo_tpot_seconds"].is_null());
  EXPECT_EQ(json["void"], true);
  EXPECT_EQ(json["violations"]["count"], 1);
  EXPECT_GT(json["machine"]["cores"], 0);
}

TEST(ReportTextTest, TheTableSaysWhatARunIsNotWorth) {
  RequestRecord late = Finished(0, 0);
  late.started = At(0.1);
  late.violation = "seq 3, expected 2";
  const std::string table = TableOf(Described(), Of({late}));
  EXPECT_TRUE(absl::StrContains(table, "open loop poisson:20")) << table;
  EXPECT_TRUE(absl::StrContains(table, "VOID: the generator was late: lag p99 100.00 ms"));
  EXPECT_TRUE(absl::StrContains(table, "1 STREAMS BROKE THEIR CONTRACT"));
  EXPECT_TRUE(absl::StrContains(table, "request 0: seq 3, expected 2"));
  const std::string fine = TableOf(Described(), Of({Finished(0, 0)}));
  EXPECT_TRUE(absl::StrContains(fine, "every stream kept its contract"));
  EXPECT_FALSE(absl::StrContains(fine, "VOID"));
}

}  // namespace
}  // namespace shoal::loadgen
