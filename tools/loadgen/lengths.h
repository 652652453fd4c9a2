// How many tokens a prompt or an output has.

#ifndef SHOAL_TOOLS_LOADGEN_LENGTHS_H_
#define SHOAL_TOOLS_LOADGEN_LENGTHS_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "tools/loadgen/seeded_random.h"

namespace shoal::loadgen {

struct LengthSpec {
  enum class Kind { kFixed, kUniform, kLogNormal, kTrace };
  std::string text;  // as given
  Kind kind = Kind::kFixed;
  int64_t low = 1, high = 1;  // of every draw, both included; not known of a trace
  double median = 0, sigma = 0;

  // REQUIRES: the kind is not kTrace. A function of the random stream.
  int64_t Draw(SeededRandom random) const;
};

// "fixed:N", "uniform:LOW:HIGH", "lognormal:MEDIAN:SIGMA:MAX" (of the underlying normal
// distribution; draws are rounded, and those outside [1, MAX] drawn again) or "trace". `flag` is
// the flag's name, for errors.
absl::StatusOr<LengthSpec> ParseLengths(absl::string_view flag, absl::string_view value);

}  // namespace shoal::loadgen

#endif  // SHOAL_TOOLS_LOADGEN_LENGTHS_H_
