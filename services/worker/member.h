// The worker's half of the membership protocol, as a pure state machine.

#ifndef SHOAL_SERVICES_WORKER_MEMBER_H_
#define SHOAL_SERVICES_WORKER_MEMBER_H_

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "shoal/v1/cluster.pb.h"

namespace shoal {

// What the machine wants done, in this order.
struct SendToRouter {
  v1::WorkerMessage message;
};
// Wait until the device is quiet, load what the rank lacks, connect to the peers, self-test; then
// OnBuilt() or OnLoadFailed().
struct BuildGroup {
  v1::Prepare prepare;
};
struct StopBuild {};  // give up what is being built, drop what was
struct AttachGroup {  // run passes in the group that was built
  v1::Epoch epoch;
};
struct LeaveGroup {  // abort it, wait until the device is quiet, end its generations with `why`
  absl::Status why;
};
struct StopWorker {
  enum class Cause { kReleased, kRejected, kCannotLoad };
  Cause cause;
  absl::Status why;  // OK when released
};
using MemberAction =
    std::variant<SendToRouter, BuildGroup, StopBuild, AttachGroup, LeaveGroup, StopWorker>;

// What beats tell of the engine.
struct EngineReport {
  v1::Load load;
  uint64_t passes = 0;
};

// Rules W1 to W4 (services/router/cluster/README.md). No clock, no thread, no I/O; a copy is an
// independent machine. One invariant: passes may run only between AttachGroup and the next
// LeaveGroup, and then the committed epoch equals the highest promise (W3).
//
// REQUIRES: `now` never goes back. One thread at a time.
class Member {
 public:
  using Actions = std::vector<MemberAction>;

  // `identity`: every field of Join that does not change while the process lives.
  explicit Member(v1::Join identity);
  virtual ~Member() = default;
  Member(const Member&) = default;

  // The Join stream to a router is up; the first action is its Join.
  Actions OnConnected();
  Actions OnDisconnected();
  Actions OnMessage(const v1::RouterMessage& message, absl::Time now);

  // Answers to BuildGroup. An epoch that is no longer wanted is ignored.
  Actions OnBuilt(const v1::Epoch& epoch, const absl::Status& status);
  Actions OnLoadFailed(const absl::Status& why);  // this process can never serve
  // Answers AttachGroup: from here on a submit finds its group, and beats say SERVING.
  Actions OnAttached(const v1::Epoch& epoch);
  Actions OnLoadProgress(int64_t bytes_done, int64_t bytes_total);
  // The share of `rank` under a placement is in memory.
  struct Share {
    int rank = -1;
    std::string placement_digest;
    std::string weights;  // digest of what every rank reads
    int64_t bytes = 0;
  };
  void OnShareLoaded(Share share) { share_ = std::move(share); }
  // The group that passes run in broke (a peer's socket closed, a deadline, a bad frame).
  Actions OnGroupBroken(const absl::Status& evidence);

  // What the next beat says, also one that a message calls forth.
  void Observe(const EngineReport& report) { report_ = report; }
  Actions Tick(const EngineReport& report);  // a beat
  Actions Leave(absl::Duration deadline);    // SIGTERM

  bool connected() const { return connected_; }
  bool live() const { return live_; }  // passes may run
  const v1::Epoch& promise() const { return promise_; }
  const v1::Epoch& committed() const { return committed_; }  // the last one; live or over
  absl::Duration beat() const { return beat_; }
  absl::Duration lease() const { return lease_; }
  // All that decides what the machine does from `now` on, times as ages: machines with equal
  // digests behave alike. For a model checker.
  std::string Digest(absl::Time now) const;

 protected:
  // W1. Virtual so that a test can show that a wrong one is found.
  virtual bool MayPromise(const v1::Epoch& epoch) const;

 private:
  enum class Building { kNo, kUnderWay, kDone };

  void OnPrepare(const v1::Prepare& prepare, absl::Time now);
  // Empty when the router's view of the group is this worker's too.
  std::string WhyUnfit(const v1::Prepare& prepare) const;
  void OnCommit(const v1::Epoch& epoch);
  void OnAbandon(const v1::Abandon& abandon);
  void Refuse(const v1::Epoch& epoch, const std::string& reason, absl::Duration retry_after);
  void DropGroup(const absl::Status& why);
  v1::WorkerState State() const;
  void SendPrepared();
  void SendBeat();
  void SendLeaving();
  void SendLoadProgress(int64_t bytes_done, int64_t bytes_total);
  Actions Take();

  const v1::Join identity_;
  bool connected_ = false;
  uint64_t router_ = 0;  // incarnation of the one the stream leads to
  v1::Epoch promise_, committed_;
  v1::Prepare prepare_;  // of promise_, until it is abandoned
  Building building_ = Building::kNo;
  bool live_ = false;
  bool attached_ = false;  // implies live_
  bool leaving_ = false;
  bool loading_ = false;
  absl::Time router_heard_ = absl::InfinitePast();  // the router of committed_
  absl::Duration beat_ = absl::Milliseconds(200), lease_ = absl::Seconds(2);
  absl::Duration leave_within_;
  Share share_;
  EngineReport report_;
  Actions actions_;
};

}  // namespace shoal

#endif  // SHOAL_SERVICES_WORKER_MEMBER_H_
