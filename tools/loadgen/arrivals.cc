#include "tools/loadgen/arrivals.h"

#include <cmath>

#include "absl/strings/strip.h"

#include "runtime/base/check.h"
#include "runtime/base/status_macros.h"
#include "tools/loadgen/flag_value.h"

namespace shoal::loadgen {

namespace {
constexpr double kMinRate = 1e-3, kMaxRate = 1e5;
constexpr int64_t kMaxConcurrency = 65'536;
}  // namespace

absl::StatusOr<ArrivalSpec> ParseArrivals(absl::string_view value) {
  const FlagValue flag("arrivals", value);
  ArrivalSpec spec = {.text = flag.text()};
  const std::string& kind = flag.word(0);
  if (kind == "trace") {
    // A file's name may hold colons.
    absl::ConsumePrefix(&value, "trace");
    if (!absl::ConsumePrefix(&value, ":") || value.empty()) {
      return flag.Error("no file, expected trace:FILE");
    }
    spec.kind = ArrivalSpec::Kind::kTrace;
    spec.trace_file = std::string(value);
    return spec;
  }
  if (kind == "closed") {
    spec.kind = ArrivalSpec::Kind::kClosed;
    RETURN_IF_ERROR(flag.ExpectForm("closed:CONCURRENCY"));
    ASSIGN_OR_RETURN(spec.concurrency, flag.Integer(1, "CONCURRENCY", 1, kMaxConcurrency));
    return spec;
  }
  if (kind != "poisson" && kind != "constant") {
    return flag.Error("expected poisson:RATE, constant:RATE, closed:CONCURRENCY or trace:FILE");
  }
  spec.kind = kind == "poisson" ? ArrivalSpec::Kind::kPoisson : ArrivalSpec::Kind::kConstant;
  RETURN_IF_ERROR(flag.ExpectForm("poisson:RATE"));
  ASSIGN_OR_RETURN(spec.rate, flag.Number(1, "RATE", kMinRate, kMaxRate));
  return spec;
}

ArrivalTimes::ArrivalTimes(const ArrivalSpec& spec, uint64_t seed)
    : poisson_(spec.kind == ArrivalSpec::Kind::kPoisson),
      rate_(spec.rate),
      random_(seed, SeededRandom::Purpose::kArrival, 0) {
  CHECK(poisson_ || spec.kind == ArrivalSpec::Kind::kConstant);
}

absl::Duration ArrivalTimes::Next() {
  if (poisson_) {
    seconds_ += -std::log1p(-random_.Uniform()) / rate_;
  } else {
    seconds_ = static_cast<double>(count_) / rate_;  // no error adds up
  }
  ++count_;
  return absl::Nanoseconds(std::llround(seconds_ * 1e9));
}

}  // namespace shoal::loadgen
