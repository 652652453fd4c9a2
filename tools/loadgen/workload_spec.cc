#include "tools/loadgen/workload_spec.h"

#include "absl/strings/str_cat.h"

#include "runtime/base/status_macros.h"
#include "tools/loadgen/flag_value.h"

namespace shoal::loadgen {
namespace {

constexpr int64_t kMaxRequests = 10'000'000;  // their records are kept until the run's end
constexpr int64_t kMaxTokens = 1 << 24;
constexpr int64_t kMaxGroups = 1 << 20;
constexpr absl::Duration kMaxTime = absl::Hours(7 * 24);

absl::Status Bad(absl::string_view flag, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("--", flag, what));
}

absl::Status CheckTime(absl::string_view flag, absl::Duration time) {
  if (time >= absl::ZeroDuration() && time <= kMaxTime) return absl::OkStatus();
  return Bad(flag, absl::StrCat("=", absl::FormatDuration(time), ": outside [0, ",
                                absl::FormatDuration(kMaxTime), "]"));
}

// A run ends after so many requests, or after a time, or with its trace.
absl::Status CheckEnd(const WorkloadSpec& spec) {
  if (spec.requests < 0 || spec.requests > kMaxRequests) {
    return Bad("requests", absl::StrCat("=", spec.requests, ": outside [0, ", kMaxRequests, "]"));
  }
  RETURN_IF_ERROR(CheckTime("duration", spec.duration));
  const bool timed = spec.duration > absl::ZeroDuration();
  if (spec.requests > 0 && timed) {
    return Bad("requests", absl::StrCat("=", spec.requests, " and --duration=",
                                        absl::FormatDuration(spec.duration), ": give one of them"));
  }
  if (spec.arrivals.kind == ArrivalSpec::Kind::kTrace) {
    if (!timed) return absl::OkStatus();
    return Bad("duration", absl::StrCat("=", absl::FormatDuration(spec.duration),
                                        ": a trace ends with its last line, or by --requests"));
  }
  const double expected = spec.arrivals.rate * absl::ToDoubleSeconds(spec.duration);
  if (expected > kMaxRequests) {
    return Bad("duration", absl::StrCat("=", absl::FormatDuration(spec.duration),
                                        " of --arrivals=", spec.arrivals.text, ": ", expected,
                                        " requests, at most ", kMaxRequests));
  }
  if (spec.requests > 0 || timed) return absl::OkStatus();
  return Bad("requests", "=0 and --duration=0: one of them must say when the run ends");
}

absl::Status CheckLengths(const WorkloadSpec& spec) {
  const bool trace = spec.arrivals.kind == ArrivalSpec::Kind::kTrace;
  for (const auto& [flag, lengths] :
       {std::pair("prompt_tokens", &spec.prompt_tokens), {"output_tokens", &spec.output_tokens}}) {
    if (trace || lengths->kind != LengthSpec::Kind::kTrace) continue;
    return Bad(flag, absl::StrCat("=trace: --arrivals=", spec.arrivals.text, " has none"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<PrefixSpec> ParsePrefixes(absl::string_view value) {
  PrefixSpec spec;
  if (value.empty()) return spec;
  const FlagValue flag("prefixes", value);
  spec.text = flag.text();
  RETURN_IF_ERROR(flag.ExpectForm("GROUPS:TOKENS"));
  ASSIGN_OR_RETURN(spec.groups, flag.Integer(0, "GROUPS", 1, kMaxGroups));
  ASSIGN_OR_RETURN(spec.tokens, flag.Integer(1, "TOKENS", 1, kMaxTokens));
  return spec;
}

absl::StatusOr<CancelSpec> ParseCancels(absl::string_view value) {
  CancelSpec spec;
  if (value.empty()) return spec;
  const FlagValue flag("cancels", value);
  spec.text = flag.text();
  RETURN_IF_ERROR(flag.ExpectForm("SHARE:TOKENS"));
  ASSIGN_OR_RETURN(spec.share, flag.Number(0, "SHARE", 0, 1));
  ASSIGN_OR_RETURN(spec.after_tokens, flag.Integer(1, "TOKENS", 0, kMaxTokens));
  return spec;
}

absl::StatusOr<SlowReaderSpec> ParseSlowReaders(absl::string_view value) {
  SlowReaderSpec spec;
  if (value.empty()) return spec;
  const FlagValue flag("slow_readers", value);
  spec.text = flag.text();
  RETURN_IF_ERROR(flag.ExpectForm("SHARE:TOKENS_PER_SECOND"));
  ASSIGN_OR_RETURN(spec.share, flag.Number(0, "SHARE", 0, 1));
  ASSIGN_OR_RETURN(spec.tokens_per_second, flag.Number(1, "TOKENS_PER_SECOND", 1e-3, 1e6));
  return spec;
}

absl::Status CheckSpec(const WorkloadSpec& spec) {
  RETURN_IF_ERROR(CheckEnd(spec));
  RETURN_IF_ERROR(CheckLengths(spec));
  RETURN_IF_ERROR(CheckTime("deadline", spec.deadline));
  // Written so that NaN is outside.
  if (!(spec.temperature >= 0 && spec.temperature <= 2)) {
    return Bad("temperature", absl::StrCat("=", spec.temperature, ": outside [0, 2]"));
  }
  return absl::OkStatus();
}

}  // namespace shoal::loadgen
