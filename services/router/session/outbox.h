// A generation's events on their way to its client.

#ifndef SHOAL_SERVICES_ROUTER_SESSION_OUTBOX_H_
#define SHOAL_SERVICES_ROUTER_SESSION_OUTBOX_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "shoal/v1/inference.pb.h"

#include "runtime/base/mutex.h"

namespace shoal {

// Between the generation, which pushes, and one consumer, which takes. While the consumer is busy,
// deltas of one kind grow together, so a slow reader costs memory for its text once and no
// messages. `seq` is given when an event is taken: strictly +1 from 0 whatever was merged (stream
// law).
//
// Any thread may push; one consumer takes.
class Outbox {
 public:
  // A consumer that is more than `max_lag_tokens` output tokens behind is a slow reader: see
  // Push(). A piece of a tool call counts as one token.
  explicit Outbox(int64_t max_lag_tokens) : max_lag_tokens_(max_lag_tokens) {}

  // False when the reader lags too far: the event is dropped and the caller ends the generation.
  // REQUIRES: End() was not called.
  [[nodiscard]] bool Push(v1::GenerateEvent event);
  // Nothing comes after it. OK exactly if a Finish event was pushed last; an error overtakes
  // nothing. Ignored when the outbox has ended already.
  void End(absl::Status status);

  struct Item {
    std::optional<v1::GenerateEvent> event;  // the next one, or
    std::optional<absl::Status> end;         // the end, or nothing yet
  };
  Item TryTake();

  // `wake` is called (by Attach() once, then by pushers, never concurrently) whenever something may
  // be there to take. Detach() returns when no call is running, and none follows. REQUIRES: neither
  // is called from within `wake`.
  void Attach(std::function<void()> wake);
  void Detach();

 private:
  struct Waiting {
    v1::GenerateEvent event;
    int64_t tokens;
  };

  void Wake();

  const int64_t max_lag_tokens_;
  Mutex mu_;
  std::deque<Waiting> events_ ABSL_GUARDED_BY(mu_);
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mu_);
  int64_t lag_tokens_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t next_seq_ ABSL_GUARDED_BY(mu_) = 0;

  Mutex wake_mu_;  // held while `wake_` runs; taken before mu_, never after
  std::function<void()> wake_ ABSL_GUARDED_BY(wake_mu_);
};

}  // namespace shoal

#endif  // SHOAL_SERVICES_ROUTER_SESSION_OUTBOX_H_
