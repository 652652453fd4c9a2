// A recorded load: one request per line.

#ifndef SHOAL_TOOLS_LOADGEN_TRACE_H_
#define SHOAL_TOOLS_LOADGEN_TRACE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace shoal::loadgen {

struct TraceLine {
  absl::Duration arrival;  // from the run's begin; not before the line above's
  int64_t prompt_tokens = 0, output_tokens = 0;
};

// Lines of three words, "ARRIVAL_SECONDS PROMPT_TOKENS OUTPUT_TOKENS"; a line that is empty or
// begins with # is a comment. INVALID_ARGUMENT names the file, the line, and the word with its
// bound; so does a trace without a request.
absl::StatusOr<std::vector<TraceLine>> ParseTrace(absl::string_view file, absl::string_view text);
absl::StatusOr<std::vector<TraceLine>> ReadTrace(const std::string& file);

}  // namespace shoal::loadgen

#endif  // SHOAL_TOOLS_LOADGEN_TRACE_H_
