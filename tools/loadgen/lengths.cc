#include "tools/loadgen/lengths.h"

#include <cmath>
#include <numbers>

#include "runtime/base/check.h"
#include "runtime/base/status_macros.h"
#include "tools/loadgen/flag_value.h"

namespace shoal::loadgen {
namespace {

constexpr int64_t kMaxLength = 1 << 24;
constexpr double kMaxSigma = 4;

// Standard normal (Box and Muller 1958).
double Normal(SeededRandom& random) {
  const double radius = std::sqrt(-2 * std::log1p(-random.Uniform()));
  return radius * std::cos(2 * std::numbers::pi * random.Uniform());
}

absl::Status ReadFixed(const FlagValue& flag, LengthSpec* spec) {
  RETURN_IF_ERROR(flag.ExpectForm("fixed:N"));
  ASSIGN_OR_RETURN(spec->low, flag.Integer(1, "N", 1, kMaxLength));
  spec->high = spec->low;
  return absl::OkStatus();
}

absl::Status ReadUniform(const FlagValue& flag, LengthSpec* spec) {
  RETURN_IF_ERROR(flag.ExpectForm("uniform:LOW:HIGH"));
  ASSIGN_OR_RETURN(spec->low, flag.Integer(1, "LOW", 1, kMaxLength));
  ASSIGN_OR_RETURN(spec->high, flag.Integer(2, "HIGH", spec->low, kMaxLength));
  return absl::OkStatus();
}

absl::Status ReadLogNormal(const FlagValue& flag, LengthSpec* spec) {
  RETURN_IF_ERROR(flag.ExpectForm("lognormal:MEDIAN:SIGMA:MAX"));
  ASSIGN_OR_RETURN(spec->high, flag.Integer(3, "MAX", 1, kMaxLength));
  // A median within the bounds: at least about every other draw is kept.
  ASSIGN_OR_RETURN(spec->median, flag.Number(1, "MEDIAN", 1, static_cast<double>(spec->high)));
  ASSIGN_OR_RETURN(spec->sigma, flag.Number(2, "SIGMA", 0, kMaxSigma));
  return absl::OkStatus();
}

}  // namespace

int64_t LengthSpec::Draw(SeededRandom random) const {
  CHECK(kind != Kind::kTrace);
  if (kind != Kind::kLogNormal) {
    return low + static_cast<int64_t>(random.Below(static_cast<uint64_t>(high - low + 1)));
  }
  while (true) {
    const double length = std::round(median * std::exp(sigma * Normal(random)));
    if (length >= 1 && length <= static_cast<double>(high)) return static_cast<int64_t>(length);
  }
}

absl::StatusOr<LengthSpec> ParseLengths(absl::string_view flag_name, absl::string_view value) {
  const FlagValue flag(flag_name, value);
  LengthSpec spec = {.text = flag.text()};
  if (flag.word(0) == "fixed") {
    spec.kind = LengthSpec::Kind::kFixed;
    RETURN_IF_ERROR(ReadFixed(flag, &spec));
  } else if (flag.word(0) == "uniform") {
    spec.kind = LengthSpec::Kind::kUniform;
    RETURN_IF_ERROR(ReadUniform(flag, &spec));
  } else if (flag.word(0) == "lognormal") {
    spec.kind = LengthSpec::Kind::kLogNormal;
    RETURN_IF_ERROR(ReadLogNormal(flag, &spec));
  } else if (flag.text() == "trace") {
    spec.kind = LengthSpec::Kind::kTrace;
  } else {
    return flag.Error("expected fixed:N, uniform:LOW:HIGH, lognormal:MEDIAN:SIGMA:MAX or trace");
  }
  return spec;
}

}  // namespace shoal::loadgen
