// The router's half of the membership protocol, as a pure state machine.

#ifndef SHOAL_SERVICES_ROUTER_CLUSTER_MEMBERSHIP_H_
#define SHOAL_SERVICES_ROUTER_CLUSTER_MEMBERSHIP_H_

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "shoal/v1/cluster.pb.h"

#include "services/router/cluster/admission.h"

namespace shoal {

// One Join stream, numbered by the shell; never used again after it closed.
using ConnectionId = int64_t;

struct MembershipOptions {
  Expected expected;         // with weight_digest and numerics_id empty
  uint64_t incarnation = 0;  // of this router process; not 0
  std::string key_secret;    // 32 random bytes; group keys are derived from it
  v1::Placement placement;   // of expected.group_size ranks; no layers for a dense model
  absl::Duration beat = absl::Milliseconds(200);
  absl::Duration lease = absl::Seconds(2);  // a worker silent for longer is lost
  absl::Duration step_deadline = absl::Seconds(10);
  // An epoch in preparation is given up when no member got further for so long.
  absl::Duration prepare_timeout = absl::Seconds(10);
  absl::Duration retry =
      absl::Milliseconds(200);  // after a failed preparation; doubles to 16 times
};

// What the machine wants done, in this order.
struct SendToWorker {
  ConnectionId to = 0;
  v1::RouterMessage message;
};
struct CloseJoin {  // when what was sent before has left
  ConnectionId connection = 0;
};
struct WorkerAdmitted {  // dial its Generate service
  ConnectionId connection = 0;
  v1::WorkerId worker;
  std::string generate_address;
};
struct WorkerGone {  // hang up
  ConnectionId connection = 0;
};
struct GroupUp {  // every member runs the epoch
  v1::Epoch epoch;
  std::vector<ConnectionId> by_rank;
};
struct GroupDown {  // every generation of the epoch has ended
  v1::Epoch epoch;
  absl::Status why;
};
using MembershipAction =
    std::variant<SendToWorker, CloseJoin, WorkerAdmitted, WorkerGone, GroupUp, GroupDown>;

// Rules R1 to R3 (README.md). No clock, no thread, no I/O: time and messages come in, actions go
// out; a copy is an independent machine, which is what a model checker needs.
//
//   gathering --(a worker for every rank)--> preparing --(all Prepared alike)--> committed
//       ^                                        |                                   |
//       +------(refused, no progress, lost)------+-------(lost, suspected, left)-----+
//
// REQUIRES: `now` never goes back. One thread at a time.
class Membership {
 public:
  using Actions = std::vector<MembershipAction>;

  explicit Membership(MembershipOptions options);
  virtual ~Membership() = default;
  Membership(const Membership&) = default;

  // Anything from a connection; the first message must be Join. Unknown connections are ignored.
  Actions OnMessage(ConnectionId from, const v1::WorkerMessage& message, absl::Time now);
  // The Join stream broke or ended: the worker is lost now.
  Actions OnClosed(ConnectionId connection, const std::string& why, absl::Time now);
  // REQUIRES: called at least every beat.
  Actions Tick(absl::Time now);

  bool serving() const { return phase_ == Phase::kServing; }
  const v1::Epoch& epoch() const { return epoch_; }  // number 0 while gathering
  // A member is leaving: nothing new is accepted, what runs may finish.
  bool draining() const;
  // What workers must bring, weights and numerics included once one was admitted.
  const Expected& expected() const { return expected_; }
  std::string WaitingFor() const;  // why it is not serving, in words; empty when it is
  v1::ClusterState State() const;
  // All that decides what the machine does from `now` on, times as ages: machines with equal
  // digests behave alike. For a model checker.
  std::string Digest(absl::Time now) const;

 protected:
  // R1. Virtual so that a test can show that a wrong one is found.
  virtual v1::Epoch NextEpoch() const;
  // R2.
  virtual bool MayCommit() const;

  struct Candidate {
    v1::Join join;
    int rank = -1;     // in the epoch that is prepared or committed
    absl::Time heard;  // the last message
    v1::WorkerState state = v1::WORKER_STATE_UNSPECIFIED;
    v1::Epoch runs;  // by its last beat
    v1::Load load;
    uint64_t passes = 0;
    absl::Time moved;  // when it last had nothing to do or committed a pass
    int64_t bytes_done = 0, bytes_total = 0;
    std::string prepared;  // the layout it prepared; empty: not yet
    bool leaving = false;
    int idle_beats = 0;  // in a row, since a member is leaving
  };
  std::map<ConnectionId, Candidate> candidates_;
  const MembershipOptions options_;
  uint64_t highest_number_ = 0;  // of every promise ever reported and every epoch made here

 private:
  enum class Phase { kGathering, kPreparing, kCommitted, kServing };

  void Admit(ConnectionId from, const v1::Join& join, absl::Time now);
  bool ReplaceOrReject(ConnectionId from, const v1::Join& join, absl::Time now);
  void OnPrepared(ConnectionId from, const v1::Prepared& prepared, absl::Time now);
  void OnRefused(Candidate& c, const v1::Refused& refused, absl::Time now);
  void OnBeat(Candidate& c, const v1::Beat& beat, absl::Time now);
  void OnSuspect(const Candidate& c, const v1::Suspect& suspect, absl::Time now);
  void OnLoadProgress(Candidate& c, const v1::LoadProgress& progress, absl::Time now);

  void Form(absl::Time now);  // gathering -> preparing, when somebody is there for every rank
  void SendPrepare(absl::Time now);
  void CommitIfPrepared(absl::Time now);
  void ServeIfRunning();
  void EndEpoch(const absl::Status& why, absl::Time retry_at);
  void FailPreparation(const std::string& why, absl::Duration at_least, absl::Time now);
  void Drop(ConnectionId connection, const std::string& why, absl::Time now);
  void Reject(ConnectionId to, v1::Rejected rejected);
  void ReleaseLeavers(absl::Time now);
  void Assign();

  bool InGroup(const Candidate& c) const { return phase_ != Phase::kGathering && c.rank >= 0; }
  std::string NameOf(const Candidate& c) const;
  void Send(ConnectionId to, v1::RouterMessage message);
  Actions Take();

  Expected expected_;
  std::string loaded_weights_;  // of the first that prepared
  Phase phase_ = Phase::kGathering;
  v1::Epoch epoch_;
  std::string layout_;
  absl::Time progress_;  // preparing or committed: when a member last got further
  absl::Time retry_at_ = absl::InfinitePast();
  int failures_ = 0;  // preparations in a row
  std::string last_failure_;
  std::map<std::string, int> last_rank_;  // by worker name: a returning worker gets its share back
  Actions actions_;
};

}  // namespace shoal

#endif  // SHOAL_SERVICES_ROUTER_CLUSTER_MEMBERSHIP_H_
