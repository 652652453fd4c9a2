// A bounded queue between threads that closes.

#ifndef SHOAL_RUNTIME_BASE_QUEUE_H_
#define SHOAL_RUNTIME_BASE_QUEUE_H_

#include <cstddef>
#include <deque>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "runtime/base/check.h"
#include "runtime/base/clock.h"
#include "runtime/base/mutex.h"

namespace shoal {

// First in, first out. Any number of threads push; one thread pops (more may,
// but then nobody knows who gets what). Deadlines are times of
// `clock.Now()`; absl::InfiniteFuture() waits without end.
//
// Errors: ABORTED when closed, DEADLINE_EXCEEDED, and RESOURCE_EXHAUSTED from
// TryPush into a full queue. On error the item has not been taken: an lvalue
// that was moved into the call still holds its value.
template <typename T>
class Queue {
 public:
  // REQUIRES: capacity > 0; `clock` outlives the queue.
  explicit Queue(size_t capacity, const Clock& clock = RealClock::Get())
      : capacity_(capacity), clock_(clock) {
    CHECK_GT(capacity, 0u);
  }
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  // Waits for room until `deadline`.
  absl::Status Push(T&& item, absl::Time deadline) {
    MutexLock lock(&mu_);
    while (!closed_ && items_.size() >= capacity_) {
      if (clock_.WaitUntil(&not_full_, &mu_, deadline) && !closed_ && items_.size() >= capacity_) {
        return absl::DeadlineExceededError("queue still full at the deadline");
      }
    }
    return Append(std::move(item));
  }

  // Never waits.
  absl::Status TryPush(T&& item) {
    MutexLock lock(&mu_);
    if (!closed_ && items_.size() >= capacity_) {
      return absl::ResourceExhaustedError("queue is full");
    }
    return Append(std::move(item));
  }

  // Waits for an item until `deadline`. What was pushed before Close still
  // comes out; after the last of it, ABORTED.
  absl::StatusOr<T> Pop(absl::Time deadline) {
    MutexLock lock(&mu_);
    if (!WaitForItem(deadline)) return WhyEmpty();
    T item = std::move(items_.front());
    items_.pop_front();
    not_full_.Signal();
    return item;
  }

  // Waits as Pop does, then takes all there is: one wake-up for many items.
  absl::StatusOr<std::vector<T>> PopAll(absl::Time deadline) {
    MutexLock lock(&mu_);
    if (!WaitForItem(deadline)) return WhyEmpty();
    return TakeAll();
  }

  // Never waits.
  std::optional<T> TryPop() {
    MutexLock lock(&mu_);
    if (items_.empty()) return std::nullopt;
    std::optional<T> item = std::move(items_.front());
    items_.pop_front();
    not_full_.Signal();
    return item;
  }

  // Never waits; empty when there is nothing.
  std::vector<T> TryPopAll() {
    MutexLock lock(&mu_);
    return TakeAll();
  }

  // Refuses further pushes and wakes everybody. May be called again.
  void Close() {
    MutexLock lock(&mu_);
    closed_ = true;
    not_empty_.SignalAll();
    not_full_.SignalAll();
  }

  bool closed() const {
    MutexLock lock(&mu_);
    return closed_;
  }

  size_t size() const {
    MutexLock lock(&mu_);
    return items_.size();
  }

 private:
  absl::Status Append(T&& item) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (closed_) return absl::AbortedError("queue is closed");
    items_.push_back(std::move(item));
    not_empty_.Signal();
    return absl::OkStatus();
  }

  // Whether there is an item now.
  bool WaitForItem(absl::Time deadline) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    while (items_.empty() && !closed_) {
      if (clock_.WaitUntil(&not_empty_, &mu_, deadline)) break;
    }
    return !items_.empty();
  }

  absl::Status WhyEmpty() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (closed_) return absl::AbortedError("queue is closed");
    return absl::DeadlineExceededError("queue still empty at the deadline");
  }

  std::vector<T> TakeAll() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    std::vector<T> all(std::make_move_iterator(items_.begin()),
                       std::make_move_iterator(items_.end()));
    items_.clear();
    not_full_.SignalAll();
    return all;
  }

  const size_t capacity_;
  const Clock& clock_;

  mutable Mutex mu_;
  CondVar not_empty_;
  CondVar not_full_;
  std::deque<T> items_ ABSL_GUARDED_BY(mu_);
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_BASE_QUEUE_H_
