#include "runtime/base/mutex.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace shoal {
namespace {

TEST(Mutex, ExcludesOtherThreads) {
  constexpr int kThreads = 3, kRounds = 2001;
  Mutex mu;
  int count = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kRounds; ++i) {
        MutexLock lock(&mu);
        ++count;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(count, kThreads * kRounds);
}

TEST(Mutex, TryLockFailsWhileAnotherThreadHoldsIt) {
  Mutex mu;
  const auto try_elsewhere = [&mu] {
    bool got = false;
    std::thread([&] {
      if (mu.TryLock()) {
        got = true;
        mu.Unlock();
      }
    }).join();
    return got;
  };
  {
    MutexLock lock(&mu);
    EXPECT_FALSE(try_elsewhere());
  }
  EXPECT_TRUE(try_elsewhere());
}

TEST(CondVar, WakesAWaiter) {
  Mutex mu;
  CondVar cv;
  bool ready = false, seen = false;
  std::thread waiter([&] {
    MutexLock lock(&mu);
    while (!ready) cv.Wait(&mu);
    seen = true;
  });
  {
    MutexLock lock(&mu);
    ready = true;
  }
  cv.Signal();
  waiter.join();
  EXPECT_TRUE(seen);
}

TEST(CondVar, TimesOutAndHoldsTheLockAgain) {
  Mutex mu;
  CondVar cv;
  MutexLock lock(&mu);
  const absl::Time start = absl::Now();
  while (!cv.WaitWithTimeout(&mu, absl::Milliseconds(3))) {
  }
  EXPECT_GE(absl::Now() - start, absl::Milliseconds(2));
  std::thread([&] { EXPECT_FALSE(mu.TryLock()); }).join();
}

TEST(CondVar, APastDeadlineReturnsAtOnce) {
  Mutex mu;
  CondVar cv;
  MutexLock lock(&mu);
  EXPECT_TRUE(cv.WaitWithDeadline(&mu, absl::InfinitePast()));
  EXPECT_TRUE(cv.WaitWithTimeout(&mu, absl::ZeroDuration()));
}

TEST(CondVar, AVeryFarDeadlineDoesNotOverflow) {
  Mutex mu;
  CondVar cv;
  bool ready = false;
  std::thread waiter([&] {
    MutexLock lock(&mu);
    while (!ready) {
      EXPECT_FALSE(cv.WaitWithTimeout(&mu, absl::Hours(24 * 365 * 500)));
    }
  });
  std::thread forever([&] {
    MutexLock lock(&mu);
    while (!ready) cv.WaitWithDeadline(&mu, absl::InfiniteFuture());
  });
  {
    MutexLock lock(&mu);
    ready = true;
    cv.SignalAll();
  }
  waiter.join();
  forever.join();
}

}  // namespace
}  // namespace shoal
