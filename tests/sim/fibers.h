// Threads that take turns: a whole program of threads, mutexes and condition variables on one OS
// thread, in an order that the test chooses.

#ifndef SHOAL_TESTS_SIM_FIBERS_H_
#define SHOAL_TESTS_SIM_FIBERS_H_

#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/time/time.h"

#include "runtime/base/clock.h"

namespace shoal {

// Inside Run(), pthread_create makes a fiber, and pthread mutexes and condition variables block
// fibers instead of the thread: fibers.cc defines these functions for the whole program, so the
// code under test is the code that serves, unchanged. Outside of fibers they are the C library's
// own.
//
// Time is virtual: it goes on to the next deadline when nobody can run.
class Fibers {
 public:
  // Who runs next: an index into `able`, in which the one that ran last comes first if it could go
  // on. Called only when there is a choice.
  using Pick = std::function<size_t(const std::vector<int>& able, bool last_is_able)>;

  // `preempt`: every lock is a point where another fiber may take over; else only waits are.
  Fibers(Pick pick, bool preempt);
  ~Fibers();
  Fibers(const Fibers&) = delete;
  Fibers& operator=(const Fibers&) = delete;

  // Before Run() or from a fiber.
  int Spawn(std::function<void()> body);
  // Until all have ended (true) or those left wait for what never comes (false).
  bool Run();

  absl::Time now() const { return now_; }
  uint64_t switches() const { return switches_; }

  // From a fiber.
  static Fibers* Active();  // null outside
  void SleepUntil(absl::Time when);
  // The next wait of this fiber ends at `deadline` at the latest.
  void SetDeadline(absl::Time deadline);

  // For the functions that stand in for the C library's.
  void BeforeLock();
  void WaitOn(const void* what);
  void WakeOne(const void* what);
  void WakeAll(const void* what);
  void Join(int fiber);

 private:
  struct Fiber {
    std::function<void()> body;
    std::unique_ptr<std::byte[]> stack;
    std::jmp_buf context;
    bool started = false, able = true, ended = false;
    const void* waits_on = nullptr;
    absl::Time deadline = absl::InfiniteFuture();
  };

  static void Enter();
  void Resume(int fiber);
  void Suspend();  // back to Run()
  void Block(const void* what);
  void MakeAble(int fiber);
  bool PassTime();
  int Choose();

  const Pick pick_;
  const bool preempt_;
  absl::Time now_ = absl::FromUnixSeconds(1000);
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<int> able_;  // in the order they became so
  std::unordered_map<const void*, std::deque<int>> waiting_;
  int current_ = -1, last_ = -1;
  uint64_t switches_ = 0;
  std::jmp_buf home_;
};

// Virtual time for the code under test.
class FiberClock final : public Clock {
 public:
  absl::Time Now() const override;
  absl::Time TimeOfDay() const override { return Now(); }
  bool WaitUntil(CondVar* cv, Mutex* mu, absl::Time deadline) const override
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
};

}  // namespace shoal

#endif  // SHOAL_TESTS_SIM_FIBERS_H_
