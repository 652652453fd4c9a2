#include "tools/loadgen/trace.h"

#include <cmath>
#include <fstream>
#include <sstream>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "runtime/base/status_macros.h"

namespace shoal::loadgen {
namespace {

constexpr double kMaxSeconds = 7 * 24 * 3600.0;
constexpr int64_t kMaxTokens = 1 << 24;

absl::StatusOr<int64_t> Tokens(absl::string_view name, absl::string_view word) {
  int64_t tokens;
  if (!absl::SimpleAtoi(word, &tokens)) {
    return absl::InvalidArgumentError(absl::StrCat(name, " \"", word, "\" is not an integer"));
  }
  if (tokens >= 1 && tokens <= kMaxTokens) return tokens;
  return absl::InvalidArgumentError(
      absl::StrCat(name, " ", tokens, " is outside [1, ", kMaxTokens, "]"));
}

absl::StatusOr<absl::Duration> Arrival(absl::string_view word, absl::Duration not_before) {
  double seconds;
  if (!absl::SimpleAtod(word, &seconds)) {
    return absl::InvalidArgumentError(absl::StrCat("arrival \"", word, "\" is not a number"));
  }
  if (!(seconds >= 0 && seconds <= kMaxSeconds)) {
    return absl::InvalidArgumentError(
        absl::StrCat("arrival ", seconds, " s is outside [0, ", kMaxSeconds, "]"));
  }
  const absl::Duration arrival = absl::Nanoseconds(std::llround(seconds * 1e9));
  if (arrival >= not_before) return arrival;
  return absl::InvalidArgumentError(absl::StrCat("arrival ", seconds, " s is before the ",
                                                 absl::ToDoubleSeconds(not_before),
                                                 " s of the request above"));
}

absl::StatusOr<TraceLine> ParseLine(absl::string_view line, absl::Duration not_before) {
  const std::vector<absl::string_view> words =
      absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
  if (words.size() != 3) {
    return absl::InvalidArgumentError(absl::StrCat(
        words.size(), " words, expected 3: ARRIVAL_SECONDS PROMPT_TOKENS OUTPUT_TOKENS"));
  }
  TraceLine request;
  ASSIGN_OR_RETURN(request.arrival, Arrival(words[0], not_before));
  ASSIGN_OR_RETURN(request.prompt_tokens, Tokens("prompt tokens", words[1]));
  ASSIGN_OR_RETURN(request.output_tokens, Tokens("output tokens", words[2]));
  return request;
}

}  // namespace

absl::StatusOr<std::vector<TraceLine>> ParseTrace(absl::string_view file, absl::string_view text) {
  std::vector<TraceLine> requests;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line[0] == '#') continue;
    const absl::Duration not_before =
        requests.empty() ? absl::ZeroDuration() : requests.back().arrival;
    absl::StatusOr<TraceLine> request = ParseLine(line, not_before);
    if (!request.ok()) return Annotate(request.status(), absl::StrCat(file, ":", number));
    requests.push_back(*request);
  }
  if (!requests.empty()) return requests;
  return absl::InvalidArgumentError(absl::StrCat(file, ": no request in ", number, " lines"));
}

absl::StatusOr<std::vector<TraceLine>> ReadTrace(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  if (!stream.is_open() || stream.bad()) {
    return absl::NotFoundError(absl::StrCat(file, ": cannot be read"));
  }
  return ParseTrace(file, text.str());
}

}  // namespace shoal::loadgen
