// The seam to time. Whoever measures or waits takes a Clock, so that its tests
// drive time by hand.

#ifndef SHOAL_RUNTIME_BASE_CLOCK_H_
#define SHOAL_RUNTIME_BASE_CLOCK_H_

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"

#include "runtime/base/mutex.h"

namespace shoal {

// Safe from any thread.
class Clock {
 public:
  virtual ~Clock() = default;

  // The time, for durations, timeouts and deadlines: it runs with the steady
  // clock from the time of day at which the process started, so it never goes
  // back and no step of the time of day moves it.
  virtual absl::Time Now() const = 0;

  // The time of day as the machine has it. It may step, also backwards: for
  // what people read and for certificates, never for a deadline.
  virtual absl::Time TimeOfDay() const = 0;

  // Waits on `cv` until it is signalled or Now() reaches `deadline`; like any wait
  // it may return early, so the caller loops on its condition.
  // Returns whether the deadline has been reached.
  virtual bool WaitUntil(CondVar* cv, Mutex* mu, absl::Time deadline) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) = 0;
};

class RealClock : public Clock {
 public:
  // One for the process; it has no state.
  static RealClock& Get();

  absl::Time Now() const override;
  absl::Time TimeOfDay() const override;
  bool WaitUntil(CondVar* cv, Mutex* mu, absl::Time deadline) const override
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_BASE_CLOCK_H_
