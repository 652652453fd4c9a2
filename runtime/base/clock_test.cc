#include "runtime/base/clock.h"

#include <gtest/gtest.h>

#include <thread>

#include "runtime/base/fake_clock.h"

namespace shoal {
namespace {

TEST(RealClock, NowNeverGoesBack) {
  const Clock& clock = RealClock::Get();
  absl::Time last = clock.Now();
  for (int i = 0; i < 1001; ++i) {
    const absl::Time now = clock.Now();
    EXPECT_GE(now, last);
    last = now;
  }
}

TEST(RealClock, NowStartsAtTheTimeOfDay) {
  const Clock& clock = RealClock::Get();
  EXPECT_LT(absl::AbsDuration(clock.Now() - clock.TimeOfDay()), absl::Seconds(5));
}

TEST(RealClock, WaitUntilTellsThatTheDeadlineHasPassed) {
  const Clock& clock = RealClock::Get();
  Mutex mu;
  CondVar cv;
  MutexLock lock(&mu);
  EXPECT_TRUE(clock.WaitUntil(&cv, &mu, clock.Now()));
  const absl::Time deadline = clock.Now() + absl::Milliseconds(3);
  while (!clock.WaitUntil(&cv, &mu, deadline)) {
  }
  EXPECT_GE(clock.Now(), deadline);
}

TEST(FakeClock, StandsStillUntilMoved) {
  FakeClock clock;
  const absl::Time now = clock.Now();
  EXPECT_EQ(clock.Now(), now);
  clock.Advance(absl::Seconds(7));
  EXPECT_EQ(clock.Now(), now + absl::Seconds(7));
  EXPECT_EQ(clock.TimeOfDay(), now + absl::Seconds(7));
}

TEST(FakeClock, AStepOfTheTimeOfDayLeavesNowAlone) {
  FakeClock clock;
  const absl::Time now = clock.Now();
  clock.StepTimeOfDay(-absl::Hours(5));
  EXPECT_EQ(clock.TimeOfDay(), now - absl::Hours(5));
  EXPECT_EQ(clock.Now(), now);
}

TEST(FakeClock, AWaiterWakesWhenTimeIsMovedPastItsDeadline) {
  FakeClock clock;
  Mutex mu;
  CondVar cv;
  const absl::Time deadline = clock.Now() + absl::Hours(1);
  bool expired = false;
  std::thread waiter([&] {
    MutexLock lock(&mu);
    while (!clock.WaitUntil(&cv, &mu, deadline)) {
    }
    expired = true;
  });
  clock.Advance(absl::Minutes(59));
  clock.Advance(absl::Minutes(1));
  waiter.join();
  EXPECT_TRUE(expired);
}

}  // namespace
}  // namespace shoal
