// A Clock that stands still until a test moves it.

#ifndef SHOAL_RUNTIME_BASE_FAKE_CLOCK_H_
#define SHOAL_RUNTIME_BASE_FAKE_CLOCK_H_

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"

#include "runtime/base/clock.h"
#include "runtime/base/mutex.h"

namespace shoal {

// Safe from any thread. Both of its times start at the same fixed value and move only
// by Advance (together) and StepTimeOfDay (the time of day alone).
class FakeClock : public Clock {
 public:
  absl::Time Now() const override {
    MutexLock lock(&mu_);
    return now_;
  }

  absl::Time TimeOfDay() const override {
    MutexLock lock(&mu_);
    return now_ + step_;
  }

  // Looks at the fake time once per real millisecond, so an Advance is noticed
  // without a list of waiters whose lifetimes a test would have to arrange.
  bool WaitUntil(CondVar* cv, Mutex* mu, absl::Time deadline) const override
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) {
    if (Now() >= deadline) return true;
    cv->WaitWithTimeout(mu, absl::Milliseconds(1));
    return Now() >= deadline;
  }

  // REQUIRES: by >= 0.
  void Advance(absl::Duration by) {
    MutexLock lock(&mu_);
    now_ += by;
  }

  // What an operator or NTP does; `by` may be negative.
  void StepTimeOfDay(absl::Duration by) {
    MutexLock lock(&mu_);
    step_ += by;
  }

 private:
  mutable Mutex mu_;
  absl::Time now_ ABSL_GUARDED_BY(mu_) = absl::FromUnixSeconds(1'700'000'000);
  absl::Duration step_ ABSL_GUARDED_BY(mu_);
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_BASE_FAKE_CLOCK_H_
