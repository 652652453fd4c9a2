#include "runtime/base/clock.h"

#include <chrono>

#include "absl/time/clock.h"

namespace shoal {

RealClock& RealClock::Get() {
  static RealClock clock;
  return clock;
}

absl::Time RealClock::Now() const {
  using std::chrono::steady_clock;
  struct Origin {
    steady_clock::time_point steady = steady_clock::now();
    absl::Time time_of_day = absl::Now();
  };
  static const Origin origin;
  return origin.time_of_day + absl::FromChrono(steady_clock::now() - origin.steady);
}

absl::Time RealClock::TimeOfDay() const { return absl::Now(); }

bool RealClock::WaitUntil(CondVar* cv, Mutex* mu, absl::Time deadline) const {
  const absl::Duration left = deadline - Now();
  if (left <= absl::ZeroDuration()) return true;
  return cv->WaitWithTimeout(mu, left);
}

}  // namespace shoal
