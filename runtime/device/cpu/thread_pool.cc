#include "runtime/device/cpu/thread_pool.h"

#include <emmintrin.h>

#include <algorithm>
#include <cstdint>
#include <thread>

#include "runtime/base/check.h"
#include "runtime/base/mutex.h"
#include "runtime/device/cpu/flush_denormals.h"

namespace shoal::cpu {
namespace {

// Looks of a worker for the next job before it sleeps: some tens of microseconds, the time between
// two operations of a pass. An idle pool sleeps.
constexpr int kLooks = 1000;

}  // namespace

ThreadPool::ThreadPool(int threads) {
  CHECK_GE(threads, 1);
  for (int worker = 1; worker < threads; ++worker)
    workers_.emplace_back([this, worker] { Work(worker); });
}

ThreadPool::~ThreadPool() {
  {
    MutexLock lock(&mu_);
    stop_ = true;
    round_.fetch_add(1, std::memory_order_release);
    wake_.SignalAll();
  }
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::ParallelFor(int64_t items, int64_t grain, Body body) {
  if (items <= 0) return;
  const FlushDenormals flush;
  if (workers_.empty() || items <= grain) {
    body(0, 0, items);
    return;
  }
  const Job job{&body, items, grain};
  {
    MutexLock lock(&mu_);
    job_ = job;
    next_.store(0, std::memory_order_relaxed);
    round_.fetch_add(1, std::memory_order_release);
    wake_.SignalAll();
  }
  Take(0, job);
  {
    MutexLock lock(&mu_);
    job_.body = nullptr;  // a worker that wakes only now is not waited for
  }
  // The others have at most one grain left each; a thread that the system has put aside is waited
  // for politely.
  for (int look = 0; inside_.load(std::memory_order_acquire) != 0; ++look) {
    if (look < kLooks) {
      _mm_pause();
    } else {
      std::this_thread::yield();
    }
  }
}

void ThreadPool::Take(int worker, const Job& job) {
  for (;;) {
    const int64_t begin = next_.fetch_add(job.grain, std::memory_order_relaxed);
    if (begin >= job.items) return;
    (*job.body)(worker, begin, std::min(job.items, begin + job.grain));
  }
}

void ThreadPool::Work(int worker) {
  const FlushDenormals flush;
  for (uint64_t seen = 0;;) {
    for (int look = 0; look < kLooks && round_.load(std::memory_order_acquire) == seen; ++look)
      _mm_pause();
    Job job;
    {
      MutexLock lock(&mu_);
      while (round_.load(std::memory_order_relaxed) == seen) wake_.Wait(&mu_);
      if (stop_) return;
      seen = round_.load(std::memory_order_relaxed);
      job = job_;
      if (job.body == nullptr) continue;
      inside_.fetch_add(1, std::memory_order_relaxed);
    }
    Take(worker, job);
    inside_.fetch_sub(1, std::memory_order_release);
  }
}

}  // namespace shoal::cpu
