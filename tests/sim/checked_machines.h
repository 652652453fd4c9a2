// The machines that serve, run once for every distinct (state, input).

#ifndef SHOAL_TESTS_SIM_CHECKED_MACHINES_H_
#define SHOAL_TESTS_SIM_CHECKED_MACHINES_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"

#include "services/router/cluster/membership.h"
#include "services/router/cluster/protocol.h"
#include "services/worker/member.h"

namespace shoal {

// What a saboteur replaces.
struct MachineSeams {
  std::function<std::unique_ptr<Membership>(MembershipOptions)> make_membership;
  std::function<std::unique_ptr<Membership>(const Membership&)> copy_membership;
  std::function<std::unique_ptr<Member>(v1::Join)> make_member;
  std::function<std::unique_ptr<Member>(const Member&)> copy_member;
  bool forget_promises = false;  // what workers report of their promises never reaches a router

  template <typename M>
  void UseMembership() {
    make_membership = [](MembershipOptions o) { return std::make_unique<M>(std::move(o)); };
    copy_membership = [](const Membership& m) {
      return std::make_unique<M>(static_cast<const M&>(m));
    };
  }
  template <typename M>
  void UseMember() {
    make_member = [](v1::Join identity) { return std::make_unique<M>(std::move(identity)); };
    copy_member = [](const Member& m) { return std::make_unique<M>(static_cast<const M&>(m)); };
  }
  MachineSeams() {
    UseMembership<Membership>();
    UseMember<Member>();
  }
};

using Id = uint32_t;
inline constexpr Id kNone = 0;  // of every kind of Id

// A group as a Prepare describes it; the rank apart.
struct GroupFacts {
  v1::Epoch epoch;
  std::string layout;
  std::vector<std::pair<int, uint64_t>> members;  // (worker, its incarnation), by rank
};

struct RouterInput {
  enum class Kind : uint8_t { kMessage, kClosed, kTimePasses } kind;
  int connection = 0;
  Id message = kNone;
};
struct WorkerInput {
  enum class Kind : uint8_t {
    kConnected,
    kDisconnected,
    kMessage,
    kBuilt,
    kBuildFailed,
    kAttached,
    kMeshBroke,
    kBeat,
    kTimePasses,
    kLeave,
  } kind;
  Id message = kNone;
};

struct RouterEffect {
  enum class Kind : uint8_t { kSend, kClose, kUp, kDown } kind;
  int connection = 0;
  Id message = kNone;
  std::vector<int> by_rank;  // kUp
  friend bool operator==(const RouterEffect&, const RouterEffect&) = default;
};
struct WorkerEffect {
  enum class Kind : uint8_t { kSend, kBuild, kStopBuild, kAttach, kLeave, kStop } kind;
  Id message = kNone;
  Id group = kNone;  // kBuild
  friend bool operator==(const WorkerEffect&, const WorkerEffect&) = default;
};

struct RouterOutcome {
  Id next = kNone;
  std::vector<RouterEffect> effects;
  std::string violation;
};
struct WorkerOutcome {
  Id next = kNone;
  std::vector<WorkerEffect> effects;
  std::string violation;
};

// Machines, messages and groups as small numbers: equal numbers mean equal things, so a world is a
// tuple of numbers and a transition that was seen before is looked up. Machines are told apart by
// their Digest(); that nothing is missing in it is checked on the way: of two machines with one
// digest, now and then both take the step, and must do the same and come out alike.
class CheckedMachines {
 public:
  // How far a router's clock goes in one step: two steps exceed the lease.
  static constexpr absl::Duration kStep = absl::Milliseconds(1200);

  CheckedMachines(MachineSeams seams, int group_size);

  Id NewRouter(uint64_t incarnation);
  Id NewWorker(int w, uint64_t incarnation);
  // Both live until the next call.
  const RouterOutcome& Step(Id router, const RouterInput& input);
  const WorkerOutcome& Step(Id worker, const WorkerInput& input);

  const Membership& router(Id id) const { return *routers_[id].machine; }
  const Member& worker(Id id) const { return *workers_[id].machine; }
  const v1::RouterMessage& down(Id id) const { return down_[id]; }
  const v1::WorkerMessage& up(Id id) const { return up_[id]; }
  const GroupFacts& group(Id id) const { return groups_[id]; }
  Id GroupOf(const v1::Prepare& prepare);
  // More than one only where a saboteur is at work.
  std::vector<Id> GroupsOf(const v1::Epoch& epoch) const {
    const auto it = epochs_.find(EpochText(epoch));
    return it == epochs_.end() ? std::vector<Id>() : it->second;
  }
  std::string Words(Id message, bool to_router) const;

  size_t routers() const { return routers_.size() - 1; }
  size_t workers() const { return workers_.size() - 1; }
  size_t cross_checks() const { return cross_checks_; }

 private:
  struct RouterState {
    std::unique_ptr<Membership> machine, twin;  // the twin has the same digest and another past
    absl::Time now;
    absl::Time twin_now;
    uint64_t reported = 0;  // R1: the highest promise it has heard of
  };
  struct WorkerState {
    std::unique_ptr<Member> machine, twin;
    absl::Time now, twin_now;
  };

  Id InternRouter(std::unique_ptr<Membership> machine, absl::Time now, uint64_t reported);
  Id InternWorker(std::unique_ptr<Member> machine, absl::Time now);
  Id InternUp(v1::WorkerMessage message);
  Id InternDown(v1::RouterMessage message);
  Membership::Actions Feed(Membership& machine, absl::Time* now, const RouterInput& input) const;
  Member::Actions Feed(Member& machine, absl::Time* now, const WorkerInput& input) const;
  RouterOutcome Run(Id router, const RouterInput& input);
  WorkerOutcome Run(Id worker, const WorkerInput& input);
  RouterEffect EffectOf(MembershipAction& action);
  WorkerEffect EffectOf(MemberAction& action);
  std::vector<RouterEffect> EffectsOf(Membership::Actions actions);
  std::vector<WorkerEffect> EffectsOf(Member::Actions actions);
  // What can be said of one machine's step; empty when all is well.
  std::string Judge(const RouterState& before, const RouterOutcome& outcome) const;
  static std::string Judge(const Member& before, const Member& after);

  const MachineSeams seams_;
  const int group_size_;
  std::vector<RouterState> routers_{1};
  std::vector<WorkerState> workers_{1};
  std::vector<v1::WorkerMessage> up_{1};
  std::vector<v1::RouterMessage> down_{1};
  std::vector<GroupFacts> groups_{1};
  absl::flat_hash_map<std::string, Id> router_ids_, worker_ids_, up_ids_, down_ids_, group_ids_;
  absl::flat_hash_map<std::pair<Id, uint64_t>, std::unique_ptr<RouterOutcome>> router_steps_;
  absl::flat_hash_map<std::pair<Id, uint64_t>, std::unique_ptr<WorkerOutcome>> worker_steps_;
  absl::flat_hash_map<std::string, std::vector<Id>> epochs_;  // its groups
  size_t cross_checks_ = 0;
};

}  // namespace shoal

#endif  // SHOAL_TESTS_SIM_CHECKED_MACHINES_H_
