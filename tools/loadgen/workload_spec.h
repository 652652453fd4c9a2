// What a run asks of a cluster.

#ifndef SHOAL_TOOLS_LOADGEN_WORKLOAD_SPEC_H_
#define SHOAL_TOOLS_LOADGEN_WORKLOAD_SPEC_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "tools/loadgen/arrivals.h"
#include "tools/loadgen/lengths.h"

namespace shoal::loadgen {

// "GROUPS:TOKENS": each request begins with one of GROUPS prefixes of TOKENS tokens, in front of
// what the prompt's length counts. Empty: none.
struct PrefixSpec {
  std::string text;
  int64_t groups = 0, tokens = 0;
};
absl::StatusOr<PrefixSpec> ParsePrefixes(absl::string_view value);

// "SHARE:TOKENS": a SHARE of the requests is cancelled once TOKENS output tokens have come.
// Empty: none.
struct CancelSpec {
  std::string text;
  double share = 0;
  int64_t after_tokens = 0;
};
absl::StatusOr<CancelSpec> ParseCancels(absl::string_view value);

// "SHARE:TOKENS_PER_SECOND": a SHARE of the clients reads no faster than that. Empty: none.
struct SlowReaderSpec {
  std::string text;
  double share = 0;
  double tokens_per_second = 0;
};
absl::StatusOr<SlowReaderSpec> ParseSlowReaders(absl::string_view value);

struct WorkloadSpec {
  ArrivalSpec arrivals;
  int64_t requests = 0;                            // 0: as many as arrive within `duration`
  absl::Duration duration = absl::ZeroDuration();  // 0: `requests` of them
  LengthSpec prompt_tokens, output_tokens;
  PrefixSpec prefixes;
  CancelSpec cancels;
  SlowReaderSpec slow_readers;
  absl::Duration deadline = absl::ZeroDuration();  // of each request, from its start; 0: none
  bool text_prompts = false;  // words instead of token ids; lengths then count words
  double temperature = 0;
  uint64_t seed = 0;
};

// INVALID_ARGUMENT names the flags that contradict each other, or the value and its bound.
absl::Status CheckSpec(const WorkloadSpec& spec);

}  // namespace shoal::loadgen

#endif  // SHOAL_TOOLS_LOADGEN_WORKLOAD_SPEC_H_
