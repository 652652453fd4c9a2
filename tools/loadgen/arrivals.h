// When requests arrive.

#ifndef SHOAL_TOOLS_LOADGEN_ARRIVALS_H_
#define SHOAL_TOOLS_LOADGEN_ARRIVALS_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "tools/loadgen/seeded_random.h"

namespace shoal::loadgen {

struct ArrivalSpec {
  enum class Kind {
    kPoisson,   // open loop: gaps exponential with mean 1 / rate
    kConstant,  // open loop: gaps of 1 / rate
    kTrace,     // open loop: as a file says
    kClosed,    // closed loop: `concurrency` clients, each sends when its last request has ended
  };
  std::string text;  // as given
  Kind kind = Kind::kClosed;
  double rate = 0;  // requests per second
  int64_t concurrency = 0;
  std::string trace_file;

  bool open_loop() const { return kind != Kind::kClosed; }
};

// "poisson:RATE", "constant:RATE", "closed:CONCURRENCY" or "trace:FILE".
absl::StatusOr<ArrivalSpec> ParseArrivals(absl::string_view value);

// The arrival times of an open loop with a rate, one after the other, from the run's begin.
// A function of (spec, seed). One thread.
class ArrivalTimes {
 public:
  // REQUIRES: the kind is kPoisson or kConstant.
  ArrivalTimes(const ArrivalSpec& spec, uint64_t seed);
  // Never before the last one; a whole number of nanoseconds.
  absl::Duration Next();

 private:
  const bool poisson_;
  const double rate_;
  SeededRandom random_;
  int64_t count_ = 0;
  double seconds_ = 0;
};

}  // namespace shoal::loadgen

#endif  // SHOAL_TOOLS_LOADGEN_ARRIVALS_H_
