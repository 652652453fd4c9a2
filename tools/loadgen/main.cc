// loadgen --api=HOST:PORT --arrivals=... : see the folder's README.

#include <cstdio>
#include <fstream>
#include <string>
#include <utility>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/reflection.h"
#include "absl/flags/usage.h"
#include "absl/strings/str_cat.h"

#include "runtime/base/status_macros.h"
#include "tools/loadgen/load_run.h"
#include "tools/loadgen/report_text.h"

ABSL_FLAG(std::string, api, "127.0.0.1:50051", "the router's API port");
ABSL_FLAG(std::string, arrivals, "closed:1",
          "open loop: poisson:RATE or constant:RATE (per second), trace:FILE; closed loop: "
          "closed:CONCURRENCY");
ABSL_FLAG(int64_t, requests, 0, "how many; 0: until --duration, or all of a trace");
ABSL_FLAG(absl::Duration, duration, absl::ZeroDuration(),
          "begin requests for so long; 0: --requests");
ABSL_FLAG(std::string, prompt_tokens, "",
          "fixed:N, uniform:LOW:HIGH, lognormal:MEDIAN:SIGMA:MAX or trace; default: the trace's, "
          "or fixed:64");
ABSL_FLAG(std::string, output_tokens, "", "as --prompt_tokens; the most that is asked for");
ABSL_FLAG(std::string, prefixes, "", "GROUPS:TOKENS, shared, in front of the prompts");
ABSL_FLAG(std::string, cancels, "", "SHARE:TOKENS, cancelled after so many output tokens");
ABSL_FLAG(std::string, slow_readers, "", "SHARE:TOKENS_PER_SECOND");
ABSL_FLAG(absl::Duration, deadline, absl::ZeroDuration(), "of each request; 0: none");
ABSL_FLAG(std::string, prompt, "ids", "ids (exact lengths) or text (lengths count words)");
ABSL_FLAG(double, temperature, 0, "0 is greedy");
ABSL_FLAG(uint64_t, seed, 1, "the same seed, the same requests");
ABSL_FLAG(absl::Duration, slo_ttft, absl::InfiniteDuration(), "goodput: time to first token");
ABSL_FLAG(absl::Duration, slo_tpot, absl::InfiniteDuration(), "goodput: time per output token");
ABSL_FLAG(int, connections, 1, "requests take them in turn");
ABSL_FLAG(absl::Duration, drain, absl::Seconds(60), "for the last requests' ends");
ABSL_FLAG(absl::Duration, max_lag, absl::Milliseconds(10),
          "the generator's own p99 lag above which the run is void");
ABSL_FLAG(std::string, json, "", "write the report here as well");

namespace shoal::loadgen {
namespace {

enum ExitCode { kFine = 0, kBrokenStream = 1, kNotRun = 2, kVoid = 3 };

constexpr const char* kFlagNames[] = {"api",           "arrivals",      "requests", "duration",
                                      "prompt_tokens", "output_tokens", "prefixes", "cancels",
                                      "slow_readers",  "deadline",      "prompt",   "temperature",
                                      "seed",          "slo_ttft",      "slo_tpot", "connections",
                                      "drain",         "max_lag",       "json"};

absl::StatusOr<LengthSpec> Lengths(absl::string_view flag, const std::string& value,
                                   const ArrivalSpec& arrivals) {
  const bool trace = arrivals.kind == ArrivalSpec::Kind::kTrace;
  return ParseLengths(flag, !value.empty() ? value : trace ? "trace" : "fixed:64");
}

absl::StatusOr<WorkloadSpec> WorkloadFromFlags() {
  WorkloadSpec spec = {.requests = absl::GetFlag(FLAGS_requests),
                       .duration = absl::GetFlag(FLAGS_duration),
                       .deadline = absl::GetFlag(FLAGS_deadline),
                       .temperature = absl::GetFlag(FLAGS_temperature),
                       .seed = absl::GetFlag(FLAGS_seed)};
  ASSIGN_OR_RETURN(spec.arrivals, ParseArrivals(absl::GetFlag(FLAGS_arrivals)));
  ASSIGN_OR_RETURN(spec.prompt_tokens,
                   Lengths("prompt_tokens", absl::GetFlag(FLAGS_prompt_tokens), spec.arrivals));
  ASSIGN_OR_RETURN(spec.output_tokens,
                   Lengths("output_tokens", absl::GetFlag(FLAGS_output_tokens), spec.arrivals));
  ASSIGN_OR_RETURN(spec.prefixes, ParsePrefixes(absl::GetFlag(FLAGS_prefixes)));
  ASSIGN_OR_RETURN(spec.cancels, ParseCancels(absl::GetFlag(FLAGS_cancels)));
  ASSIGN_OR_RETURN(spec.slow_readers, ParseSlowReaders(absl::GetFlag(FLAGS_slow_readers)));
  const std::string prompt = absl::GetFlag(FLAGS_prompt);
  if (prompt != "ids" && prompt != "text") {
    return absl::InvalidArgumentError(absl::StrCat("--prompt=", prompt, ": expected ids or text"));
  }
  spec.text_prompts = prompt == "text";
  return spec;
}

absl::StatusOr<LoadOptions> OptionsFromFlags() {
  LoadOptions options = {
      .api = absl::GetFlag(FLAGS_api),
      .slo = {.ttft = absl::GetFlag(FLAGS_slo_ttft), .tpot = absl::GetFlag(FLAGS_slo_tpot)},
      .connections = absl::GetFlag(FLAGS_connections),
      .drain = absl::GetFlag(FLAGS_drain),
      .max_lag = absl::GetFlag(FLAGS_max_lag)};
  ASSIGN_OR_RETURN(options.workload, WorkloadFromFlags());
  return options;
}

// Runs, prints the table and writes the JSON.
absl::StatusOr<ExitCode> Run() {
  ASSIGN_OR_RETURN(const LoadOptions options, OptionsFromFlags());
  RETURN_IF_ERROR(CheckOptions(options));
  const std::string path = absl::GetFlag(FLAGS_json);
  std::ofstream json;
  if (!path.empty()) {
    json.open(path);  // before a long run, not after it
    if (!json) return absl::InvalidArgumentError(absl::StrCat("--json=", path, ": not writable"));
  }
  ASSIGN_OR_RETURN(LoadResult result, RunLoad(options));
  for (const char* name : kFlagNames) {
    result.run.options.emplace_back(name, absl::FindCommandLineFlag(name)->CurrentValue());
  }
  const std::string table = TableOf(result.run, result.report);
  std::fwrite(table.data(), 1, table.size(), stdout);
  if (!path.empty()) {
    json << JsonOf(result.run, result.report);
    json.close();
    if (!json) return absl::DataLossError(absl::StrCat("--json=", path, ": not written in full"));
  }
  if (result.report.violations > 0) return kBrokenStream;
  return result.report.late() ? kVoid : kFine;
}

}  // namespace
}  // namespace shoal::loadgen

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(
      "loadgen --api=HOST:PORT --arrivals=poisson:20 --requests=400 ...; exit code 1: a stream "
      "broke its contract, 2: not run, 3: void");
  const auto words = absl::ParseCommandLine(argc, argv);
  if (words.size() > 1) {
    std::fprintf(stderr, "loadgen: \"%s\" is no flag\n", words[1]);
    return shoal::loadgen::kNotRun;
  }
  const auto code = shoal::loadgen::Run();
  if (code.ok()) return *code;
  std::fprintf(stderr, "loadgen: %s\n", std::string(code.status().message()).c_str());
  return shoal::loadgen::kNotRun;
}
