#include "tests/sim/checked_machines.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "runtime/base/check.h"
#include "services/router/cluster/protocol.h"
#include "tests/sim/sim_identity.h"

namespace shoal {

namespace {

constexpr absl::Time kStart = absl::FromUnixSeconds(1000);

Id Intern(absl::flat_hash_map<std::string, Id>& ids, const std::string& key, size_t next,
          bool* is_new) {
  const auto [it, inserted] = ids.try_emplace(key, static_cast<Id>(next));
  *is_new = inserted;
  return it->second;
}

v1::Epoch EpochOf(const v1::WorkerMessage& m) {
  if (m.has_prepared()) return m.prepared().epoch();
  if (m.has_refused()) return m.refused().epoch();
  if (m.has_beat()) return m.beat().epoch();
  if (m.has_suspect()) return m.suspect().epoch();
  return {};
}

v1::Epoch EpochOf(const v1::RouterMessage& m) {
  if (m.has_prepare()) return m.prepare().epoch();
  if (m.has_commit()) return m.commit().epoch();
  if (m.has_abandon()) return m.abandon().epoch();
  return {};
}

template <typename Message>
std::string Name(const Message& message) {
  const auto* field = message.GetReflection()->GetOneofFieldDescriptor(
      message, message.GetDescriptor()->oneof_decl(0));
  const v1::Epoch epoch = EpochOf(message);
  const std::string kind = field == nullptr ? "nothing" : field->message_type()->name();
  return epoch.number() == 0
             ? kind
             : absl::StrCat(kind, "(", epoch.number(), "/", epoch.incarnation(), ")");
}

}  // namespace

CheckedMachines::CheckedMachines(MachineSeams seams, int group_size)
    : seams_(std::move(seams)), group_size_(group_size) {}

Id CheckedMachines::NewRouter(uint64_t incarnation) {
  MembershipOptions options = SimMembershipOptions(incarnation, group_size_);
  options.prepare_timeout = absl::Seconds(3);
  options.step_deadline = absl::Seconds(1);
  return InternRouter(seams_.make_membership(std::move(options)), kStart, 0);
}

Id CheckedMachines::NewWorker(int w, uint64_t incarnation) {
  return InternWorker(seams_.make_member(SimJoin(w, incarnation)), kStart);
}

Id CheckedMachines::InternRouter(std::unique_ptr<Membership> machine, absl::Time now,
                                 uint64_t reported) {
  bool is_new = false;
  const std::string key = absl::StrCat(reported, " ", machine->Digest(now));
  const Id id = Intern(router_ids_, key, routers_.size(), &is_new);
  if (is_new) {
    routers_.push_back({std::move(machine), nullptr, now, now, reported});
  } else {
    routers_[id].twin = std::move(machine);
    routers_[id].twin_now = now;
  }
  return id;
}

Id CheckedMachines::InternWorker(std::unique_ptr<Member> machine, absl::Time now) {
  bool is_new = false;
  const Id id = Intern(worker_ids_, machine->Digest(now), workers_.size(), &is_new);
  if (is_new) {
    workers_.push_back({std::move(machine), nullptr, now, now});
  } else {
    workers_[id].twin = std::move(machine);
    workers_[id].twin_now = now;
  }
  return id;
}

// Words for people are taken out: they decide nothing and would tell equal messages apart.
Id CheckedMachines::InternUp(v1::WorkerMessage message) {
  if (message.has_refused()) message.mutable_refused()->clear_reason();
  if (message.has_suspect()) message.mutable_suspect()->clear_evidence();
  if (seams_.forget_promises) {
    if (message.has_join()) message.mutable_join()->clear_highest_promise();
    if (message.has_refused()) message.mutable_refused()->clear_highest_promise();
  }
  bool is_new = false;
  const Id id = Intern(up_ids_, message.SerializeAsString(), up_.size(), &is_new);
  if (is_new) up_.push_back(std::move(message));
  return id;
}

Id CheckedMachines::InternDown(v1::RouterMessage message) {
  if (message.has_abandon()) message.mutable_abandon()->clear_reason();
  if (message.has_rejected()) message.mutable_rejected()->Clear();
  bool is_new = false;
  const Id id = Intern(down_ids_, message.SerializeAsString(), down_.size(), &is_new);
  if (is_new) down_.push_back(std::move(message));
  return id;
}

Id CheckedMachines::GroupOf(const v1::Prepare& prepare) {
  bool is_new = false;
  const Id id = Intern(group_ids_, absl::StrCat(EpochText(prepare.epoch()), prepare.layout()),
                       groups_.size(), &is_new);
  if (is_new) {
    GroupFacts& facts = groups_.emplace_back();
    epochs_[EpochText(prepare.epoch())].push_back(id);
    facts.epoch = prepare.epoch();
    facts.layout = prepare.layout();
    for (const v1::Member& m : prepare.members()) {
      int w = 0;
      CHECK(absl::SimpleAtoi(m.worker().name().substr(1), &w));
      facts.members.emplace_back(w, m.worker().incarnation());
    }
  }
  return id;
}

std::string CheckedMachines::Words(Id message, bool to_router) const {
  return to_router ? Name(up_[message]) : Name(down_[message]);
}

// ---- one step ----

Membership::Actions CheckedMachines::Feed(Membership& machine, absl::Time* now,
                                          const RouterInput& input) const {
  switch (input.kind) {
    case RouterInput::Kind::kMessage:
      return machine.OnMessage(input.connection, up_[input.message], *now);
    case RouterInput::Kind::kClosed:
      return machine.OnClosed(input.connection, "closed", *now);
    case RouterInput::Kind::kTimePasses:
      *now += kStep;
      return machine.Tick(*now);
  }
  return {};
}

Member::Actions CheckedMachines::Feed(Member& machine, absl::Time* now,
                                      const WorkerInput& input) const {
  using Kind = WorkerInput::Kind;
  switch (input.kind) {
    case Kind::kConnected:
      return machine.OnConnected();
    case Kind::kDisconnected:
      return machine.OnDisconnected();
    case Kind::kMessage:
      return machine.OnMessage(down_[input.message], *now);
    case Kind::kBuilt:
      return machine.OnBuilt(machine.promise(), absl::OkStatus());
    case Kind::kBuildFailed:
      return machine.OnBuilt(machine.promise(), absl::UnavailableError("no mesh"));
    case Kind::kAttached:
      return machine.OnAttached(machine.committed());
    case Kind::kMeshBroke:
      return machine.OnGroupBroken(absl::UnavailableError("a peer's socket closed"));
    case Kind::kBeat:
      return machine.Tick({});
    case Kind::kTimePasses:
      *now += machine.lease();
      return {};
    case Kind::kLeave:
      return machine.Leave(absl::Seconds(10));
  }
  return {};
}

RouterEffect CheckedMachines::EffectOf(MembershipAction& action) {
  using Kind = RouterEffect::Kind;
  if (auto* send = std::get_if<SendToWorker>(&action)) {
    if (send->message.has_prepare()) GroupOf(send->message.prepare());
    return {Kind::kSend, static_cast<int>(send->to), InternDown(std::move(send->message)), {}};
  }
  if (const auto* close = std::get_if<CloseJoin>(&action)) {
    return {Kind::kClose, static_cast<int>(close->connection), kNone, {}};
  }
  if (const auto* up = std::get_if<GroupUp>(&action)) {
    return {Kind::kUp, 0, kNone, std::vector<int>(up->by_rank.begin(), up->by_rank.end())};
  }
  return {Kind::kDown, 0, kNone, {}};
}

WorkerEffect CheckedMachines::EffectOf(MemberAction& action) {
  using Kind = WorkerEffect::Kind;
  if (auto* send = std::get_if<SendToRouter>(&action)) {
    return {Kind::kSend, InternUp(std::move(send->message)), kNone};
  }
  if (const auto* build = std::get_if<BuildGroup>(&action)) {
    return {Kind::kBuild, kNone, GroupOf(build->prepare)};
  }
  if (std::holds_alternative<StopBuild>(action)) return {Kind::kStopBuild, kNone, kNone};
  if (std::holds_alternative<AttachGroup>(action)) return {Kind::kAttach, kNone, kNone};
  if (std::holds_alternative<LeaveGroup>(action)) return {Kind::kLeave, kNone, kNone};
  return {Kind::kStop, kNone, kNone};
}

std::vector<RouterEffect> CheckedMachines::EffectsOf(Membership::Actions actions) {
  std::vector<RouterEffect> effects;
  for (MembershipAction& action : actions) {
    const auto* send = std::get_if<SendToWorker>(&action);
    if (send != nullptr && send->message.has_pulse()) continue;  // only the time between matters
    if (std::holds_alternative<WorkerAdmitted>(action)) continue;
    if (std::holds_alternative<WorkerGone>(action)) continue;
    effects.push_back(EffectOf(action));
  }
  return effects;
}

std::vector<WorkerEffect> CheckedMachines::EffectsOf(Member::Actions actions) {
  std::vector<WorkerEffect> effects;
  for (MemberAction& action : actions) effects.push_back(EffectOf(action));
  return effects;
}

RouterOutcome CheckedMachines::Run(Id id, const RouterInput& input) {
  RouterState& before = routers_[id];
  auto machine = seams_.copy_membership(*before.machine);
  absl::Time now = before.now;
  uint64_t reported = before.reported;
  if (input.kind == RouterInput::Kind::kMessage) {
    const v1::WorkerMessage& m = up_[input.message];
    if (m.has_join()) reported = std::max(reported, m.join().highest_promise().number());
    if (m.has_refused()) reported = std::max(reported, m.refused().highest_promise().number());
  }
  RouterOutcome outcome;
  outcome.effects = EffectsOf(Feed(*machine, &now, input));
  if (before.twin != nullptr) {  // the digest must have said it all
    ++cross_checks_;
    const bool same = EffectsOf(Feed(*before.twin, &before.twin_now, input)) == outcome.effects;
    CHECK(same && before.twin->Digest(before.twin_now) == machine->Digest(now))
        << "the digest of Membership leaves something out:\n"
        << before.twin->Digest(before.twin_now) << "\nand\n"
        << machine->Digest(now);
    before.twin.reset();
  }
  outcome.violation = Judge(routers_[id], outcome);
  outcome.next = InternRouter(std::move(machine), now, reported);
  return outcome;
}

WorkerOutcome CheckedMachines::Run(Id id, const WorkerInput& input) {
  WorkerState& before = workers_[id];
  auto machine = seams_.copy_member(*before.machine);
  absl::Time now = before.now;
  WorkerOutcome outcome;
  outcome.effects = EffectsOf(Feed(*machine, &now, input));
  if (before.twin != nullptr) {
    ++cross_checks_;
    const bool same = EffectsOf(Feed(*before.twin, &before.twin_now, input)) == outcome.effects;
    CHECK(same && before.twin->Digest(before.twin_now) == machine->Digest(now))
        << "the digest of Member leaves something out:\n"
        << before.twin->Digest(before.twin_now) << "\nand\n"
        << machine->Digest(now);
    before.twin.reset();
  }
  outcome.violation = Judge(*before.machine, *machine);
  outcome.next = InternWorker(std::move(machine), now);
  return outcome;
}

std::string CheckedMachines::Judge(const RouterState& before, const RouterOutcome& outcome) const {
  if (seams_.forget_promises) return "";  // it cannot know
  for (const RouterEffect& e : outcome.effects) {
    if (e.kind != RouterEffect::Kind::kSend || !down_[e.message].has_prepare()) continue;
    const v1::Epoch& epoch = down_[e.message].prepare().epoch();
    if (epoch.number() > before.reported) continue;
    return absl::StrCat("R1: epoch number ", epoch.number(), " where ", before.reported,
                        " was reported");
  }
  return "";
}

std::string CheckedMachines::Judge(const Member& before, const Member& after) {
  if (after.promise() < before.promise()) return "M2: a worker promises less (W1)";
  if (after.committed() < before.committed()) return "M2: a worker commits to less";
  if (after.live() && after.committed() != after.promise()) {
    return "W3: a worker runs an epoch that is not its highest promise";
  }
  return "";
}

const RouterOutcome& CheckedMachines::Step(Id router, const RouterInput& input) {
  const uint64_t key = static_cast<uint64_t>(input.kind) << 48 |
                       static_cast<uint64_t>(input.connection) << 32 | input.message;
  auto& outcome = router_steps_[{router, key}];
  if (outcome == nullptr) outcome = std::make_unique<RouterOutcome>(Run(router, input));
  return *outcome;
}

const WorkerOutcome& CheckedMachines::Step(Id worker, const WorkerInput& input) {
  const uint64_t key = static_cast<uint64_t>(input.kind) << 48 | input.message;
  auto& outcome = worker_steps_[{worker, key}];
  if (outcome == nullptr) outcome = std::make_unique<WorkerOutcome>(Run(worker, input));
  return *outcome;
}

}  // namespace shoal
