// The router's end of one worker's Generate stream.

#ifndef SHOAL_SERVICES_ROUTER_CLUSTER_WORKER_LINK_H_
#define SHOAL_SERVICES_ROUTER_CLUSTER_WORKER_LINK_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "shoal/v1/worker.grpc.pb.h"

#include "runtime/base/mutex.h"
#include "services/router/backend.h"
#include "services/router/cluster/attempt_fence.h"

namespace shoal {

// Hears of the stream's life, from gRPC's threads; must not block and must not destroy the link.
class LinkHandler {
 public:
  virtual ~LinkHandler() = default;
  virtual void OnLinkUp(int64_t link) = 0;
  virtual void OnLinkDown(int64_t link, const absl::Status& why) = 0;  // once per Dial()
};

// Carries submits and cancels down and tokens up. The one invariant: what reaches the listener is
// the current attempt's next position (rule R4), and nothing after OnRankLost.
//
// Dial, BeginEpoch, EndEpoch and Lose belong to one thread; the rest to any.
class WorkerLink {
 public:
  struct Target {
    int64_t id = 0;
    v1::WorkerId worker;
    std::string address;
    std::string cluster;
    uint64_t router_incarnation = 0;
  };
  // Both outlive the link.
  WorkerLink(Target target, LinkHandler& handler, BackendListener& listener);
  ~WorkerLink();  // hangs up
  WorkerLink(const WorkerLink&) = delete;
  WorkerLink& operator=(const WorkerLink&) = delete;

  void Dial();  // REQUIRES: never dialled, or OnLinkDown was called since
  bool up() const;

  // The worker runs as `rank` of an epoch from now on.
  void BeginEpoch(int32_t rank);
  // Its epoch is over: tells the listener that its generations are gone.
  void EndEpoch(const absl::Status& why);
  // Its stream broke: the same, but the epoch goes on.
  void Lose(const absl::Status& why);

  // UNAVAILABLE when the stream is down, RESOURCE_EXHAUSTED when too much waits to be written.
  absl::Status Submit(const v1::Submit& submit);
  void Cancel(absl::string_view generation, uint32_t attempt);

 private:
  class Call;
  enum class State { kDown, kDialling, kUp };

  // From the call's reactions.
  void OnUp(const v1::HelloAck& ack);
  void OnTokens(const v1::Tokens& tokens);
  void OnCallDone(const absl::Status& status);
  // Keeps what is current. The rest is cancelled at the worker.
  void FilterLocked(const v1::Tokens& tokens, v1::Tokens* kept) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Target target_;
  LinkHandler& handler_;
  BackendListener& listener_;
  const std::unique_ptr<v1::Worker::Stub> stub_;

  Mutex deliver_mu_;  // held while the listener is called: calls for one rank are serial
  mutable Mutex mu_ ABSL_ACQUIRED_AFTER(deliver_mu_);
  CondVar ended_;
  State state_ ABSL_GUARDED_BY(mu_) = State::kDown;
  std::unique_ptr<Call> call_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<Call> last_call_ ABSL_GUARDED_BY(mu_);
  AttemptFence fence_ ABSL_GUARDED_BY(mu_);
  int32_t rank_ ABSL_GUARDED_BY(mu_) = -1;
};

}  // namespace shoal

#endif  // SHOAL_SERVICES_ROUTER_CLUSTER_WORKER_LINK_H_
