#ifndef SHOAL_RUNTIME_DEVICE_CPU_THREAD_POOL_H_
#define SHOAL_RUNTIME_DEVICE_CPU_THREAD_POOL_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"

#include "runtime/base/mutex.h"

namespace shoal::cpu {

// Divides work that is independent item by item over a fixed number of threads, the caller's being
// one of them. With one thread it has no thread of its own, no lock and no atomic. Every thread
// computes under FlushDenormals.
//
// Thread-compatible: one thread at a time calls ParallelFor, and `body` does not call it again.
class ThreadPool {
 public:
  // body(worker, begin, end): items [begin, end), on the thread numbered `worker` of threads().
  using Body = absl::FunctionRef<void(int worker, int64_t begin, int64_t end)>;

  explicit ThreadPool(int threads);  // REQUIRES: threads >= 1
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Runs body over [0, items), `grain` items at a time, whoever is free taking the next; returns
  // when all are done. Items that fit one grain run here and wake nobody.
  void ParallelFor(int64_t items, int64_t grain, Body body);

 private:
  struct Job {
    const Body* body = nullptr;  // null: closed
    int64_t items = 0, grain = 0;
  };
  void Work(int worker);
  void Take(int worker, const Job& job);

  std::vector<std::thread> workers_;  // constant after construction
  std::atomic<int64_t> next_{0};      // the first item that nobody has taken
  std::atomic<uint64_t> round_{0};    // counts jobs; written under mu_
  std::atomic<int> inside_{0};        // workers in the job; grows under mu_ only

  Mutex mu_;
  CondVar wake_;
  Job job_ ABSL_GUARDED_BY(mu_);
  bool stop_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace shoal::cpu

#endif  // SHOAL_RUNTIME_DEVICE_CPU_THREAD_POOL_H_
