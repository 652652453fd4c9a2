#include "tests/sim/cluster_sim.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

#include "services/router/cluster/protocol.h"
#include "tests/sim/sim_identity.h"

namespace shoal {

namespace {

constexpr int64_t kPromptTokens = 4;
constexpr int kGenerations = 2;  // per router

}  // namespace

ClusterSim::ClusterSim(const SimOptions& options) : options_(options), random_(options.seed) {}

SimResult ClusterSim::Run() {
  workers_.resize(options_.workers);
  routers_.resize(options_.routers);
  for (int r = 0; r < options_.routers; ++r) StartRouter(r);
  for (int w = 0; w < options_.workers; ++w) StartWorker(w);
  After(absl::Milliseconds(300 + Below(1000)), [this] { Fault(); });
  const absl::Time calm = now_ + options_.chaos;
  while (now_ < calm + options_.calm && result_.violation.empty()) {
    const auto first = events_.begin();
    now_ = std::max(now_, first->first);
    const auto event = std::move(first->second);
    events_.erase(first);
    event();
    if (now_ < calm) continue;
    if (faults_) {
      faults_ = false;
      for (int r = 1; r < options_.routers; ++r) StopRouter(r);
      for (int w = 0; w < options_.workers; ++w) Disconnect(w);
    } else if (Settled()) {
      return result_;
    }
  }
  Violate(absl::StrCat("M7: not serving after ", absl::FormatDuration(options_.calm),
                       " without faults: ", routers_[0].membership->WaitingFor()));
  return result_;
}

bool ClusterSim::Settled() const {
  const Router& router = routers_[0];
  if (!router.membership->serving()) return false;
  return options_.group_size ==
         std::count_if(workers_.begin(), workers_.end(), [&](const Worker& w) {
           return w.attached && w.attached->epoch() == router.membership->epoch();
         });
}

// ---- time and the network ----

void ClusterSim::After(absl::Duration delay, std::function<void()> event) {
  events_.emplace(now_ + delay, std::move(event));
}

absl::Duration ClusterSim::Delay() {
  const bool late = faults_ && Chance(0.05);
  return absl::Microseconds(late ? Below(1'000'000) : 100 + Below(5'000));
}

void ClusterSim::Travel(std::function<void()> arrive) {
  if (faults_ && Chance(0.02)) return;
  if (faults_ && Chance(0.03)) After(Delay(), arrive);
  After(Delay(), std::move(arrive));
}

void ClusterSim::Fault() {
  if (!faults_) return;
  ++result_.faults;
  const int what = Below(10);
  if (what < 4) {
    Disconnect(Below(options_.workers));
  } else if (what < 6) {
    StartWorker(Below(options_.workers));
  } else if (what < 8) {
    StartRouter(Below(options_.routers));
  } else {
    const int w = Below(options_.workers);
    Do(w, workers_[w].member->OnGroupBroken(absl::UnavailableError("a peer's socket closed")));
  }
  After(absl::Milliseconds(Below(2000)), [this] { Fault(); });
}

// ---- processes ----

void ClusterSim::StartWorker(int w) {
  Disconnect(w);
  Worker& worker = workers_[w];
  const bool first = worker.member == nullptr;
  worker = Worker();
  worker.identity = SimJoin(w, next_incarnation_++);
  worker.member = options_.make_member(worker.identity);
  Connect(w);
  if (!first) return;  // the loops below go on for the new process
  const auto beat = [this, w](const auto& self) -> void {
    Worker& me = workers_[w];
    EngineReport report;
    report.passes = me.passes;
    Do(w, me.member->Tick(report));
    After(absl::Milliseconds(200), [self] { self(self); });
  };
  beat(beat);
  const auto step = [this, w](const auto& self) -> void {
    Step(w);
    After(absl::Milliseconds(50 + Below(100)), [self] { self(self); });
  };
  step(step);
}

void ClusterSim::StartRouter(int r) {
  StopRouter(r);
  Router& router = routers_[r];
  const bool first = router.membership == nullptr;
  router = Router();
  MembershipOptions options = SimMembershipOptions(
      options_.same_incarnation ? 1 : next_incarnation_++, options_.group_size);
  options.prepare_timeout = absl::Seconds(3);
  router.membership = options_.make_membership(options);
  if (!first) return;
  const auto tick = [this, r](const auto& self) -> void {
    Router& me = routers_[r];
    if (me.up) Do(r, me.membership->Tick(now_));
    After(absl::Milliseconds(100), [self] { self(self); });
  };
  tick(tick);
}

void ClusterSim::StopRouter(int r) {
  routers_[r].up = false;
  for (int w = 0; w < options_.workers; ++w) {
    if (workers_[w].member != nullptr && workers_[w].router == r) Disconnect(w);
  }
}

void ClusterSim::Connect(int w) {
  Worker& worker = workers_[w];
  const int r = faults_ ? Below(options_.routers) : 0;
  if (worker.router >= 0 || !routers_[r].up) return;
  worker.router = r;
  worker.connection = next_connection_++;
  routers_[r].workers[worker.connection] = w;
  Do(w, worker.member->OnConnected());
}

void ClusterSim::Disconnect(int w) {
  Worker& worker = workers_[w];
  if (worker.member == nullptr) return;
  if (worker.router >= 0) {
    Router& router = routers_[worker.router];
    const int r = worker.router;
    const ConnectionId connection = worker.connection;
    router.workers.erase(connection);
    worker.router = -1;
    // The two ends learn of it at their own time.
    const Membership* process = router.membership.get();
    After(Delay(), [this, r, connection, process] {
      if (routers_[r].membership.get() != process) return;
      Do(r, routers_[r].membership->OnClosed(connection, "stream broke", now_));
    });
    Do(w, worker.member->OnDisconnected());
  }
  After(absl::Milliseconds(10 + Below(300)), [this, w] { Connect(w); });
}

// ---- what the machines want done ----

void ClusterSim::Do(int w, Member::Actions actions) {
  Worker& worker = workers_[w];
  const uint64_t incarnation = worker.identity.worker().incarnation();
  for (MemberAction& action : actions) {
    if (auto* send = std::get_if<SendToRouter>(&action)) {
      const int r = worker.router;
      const ConnectionId connection = worker.connection;
      if (options_.forget_promises) {
        if (send->message.has_join()) send->message.mutable_join()->clear_highest_promise();
        if (send->message.has_refused()) send->message.mutable_refused()->clear_highest_promise();
      }
      const auto arrive = [this, r, connection, message = std::move(send->message)] {
        if (!routers_[r].workers.contains(connection)) return;
        Do(r, routers_[r].membership->OnMessage(connection, message, now_));
      };
      if (send->message.has_join()) {
        After(absl::ZeroDuration(), arrive);
      } else {
        Travel(arrive);
      }
    } else if (auto* build = std::get_if<BuildGroup>(&action)) {
      CheckLayout(build->prepare);
      worker.building = build->prepare;
      worker.built.reset();
      After(Delay() * 20, [this, w, incarnation, epoch = build->prepare.epoch()] {
        FinishBuild(w, incarnation, epoch);
      });
    } else if (std::holds_alternative<StopBuild>(action)) {
      worker.building.reset();
      worker.built.reset();
    } else if (auto* attach = std::get_if<AttachGroup>(&action)) {
      if (!worker.built || worker.built->epoch() != attach->epoch) {
        Violate("W3: attached a group that was not built");
        return;
      }
      worker.attached = std::exchange(worker.built, std::nullopt);
      for (const v1::Member& m : worker.attached->members()) {
        if (prepared_.contains({EpochText(attach->epoch), m.worker().incarnation()})) continue;
        Violate(absl::StrCat("M4: ", EpochText(attach->epoch), " runs on w", w, " before ",
                             m.worker().name(), " is prepared"));
      }
      After(Delay(), [this, w, incarnation, epoch = attach->epoch] {
        if (workers_[w].identity.worker().incarnation() != incarnation) return;
        Do(w, workers_[w].member->OnAttached(epoch));
      });
    } else if (std::holds_alternative<LeaveGroup>(action)) {
      worker.attached.reset();
      worker.generations.clear();
    } else if (std::holds_alternative<StopWorker>(action)) {
      After(absl::Milliseconds(100), [this, w, incarnation] {
        if (workers_[w].identity.worker().incarnation() == incarnation) StartWorker(w);
      });
    }
  }
  CheckWorker(w);
}

void ClusterSim::FinishBuild(int w, uint64_t incarnation, const v1::Epoch& epoch) {
  Worker& worker = workers_[w];
  if (worker.identity.worker().incarnation() != incarnation) return;
  if (!worker.building || worker.building->epoch() != epoch) return;
  worker.built = std::exchange(worker.building, std::nullopt);
  prepared_.emplace(EpochText(epoch), incarnation);
  Do(w, worker.member->OnBuilt(epoch, absl::OkStatus()));
}

void ClusterSim::Do(int r, Membership::Actions actions) {
  Router& router = routers_[r];
  for (MembershipAction& action : actions) {
    if (auto* send = std::get_if<SendToWorker>(&action)) {
      const auto it = router.workers.find(send->to);
      if (it == router.workers.end()) continue;
      if (send->message.has_prepare()) CheckLayout(send->message.prepare());
      Travel([this, w = it->second, to = send->to, message = std::move(send->message)] {
        if (workers_[w].router < 0 || workers_[w].connection != to) return;
        Do(w, workers_[w].member->OnMessage(message, now_));
      });
    } else if (auto* close = std::get_if<CloseJoin>(&action)) {
      const auto it = router.workers.find(close->connection);
      if (it == router.workers.end()) continue;
      After(absl::Milliseconds(10), [this, w = it->second, connection = close->connection] {
        if (workers_[w].router >= 0 && workers_[w].connection == connection) Disconnect(w);
      });
    } else if (auto* up = std::get_if<GroupUp>(&action)) {
      ++result_.groups;
      Submit(r, *up);
    } else if (std::holds_alternative<GroupDown>(action)) {
      router.fence.Clear();
    }
  }
}

// ---- generations ----

// Each generation moves to a rank of the new group and continues from what its client has.
void ClusterSim::Submit(int r, const GroupUp& up) {
  Router& router = routers_[r];
  for (int g = 0; g < kGenerations; ++g) {
    const std::string id = absl::StrCat("r", r, "g", g);
    v1::GenerationTokens next;
    next.set_generation(id);
    next.set_attempt(router.attempts[id]++);
    const auto at = client_position_.try_emplace(id, kPromptTokens).first;
    next.set_position(at->second);
    next.add_ids(0);
    router.fence.Add(id, next.attempt(), next.position());
    const auto it = router.workers.find(up.by_rank[Below(options_.group_size)]);
    if (it == router.workers.end()) continue;
    Travel([this, w = it->second, next] {
      if (workers_[w].attached) workers_[w].generations[next.generation()] = next;
    });
  }
}

void ClusterSim::Step(int w) {
  Worker& worker = workers_[w];
  if (!worker.attached) return;
  ++worker.passes;
  for (auto& [id, next] : worker.generations) {
    const int r = id[1] - '0';
    Travel([this, r, tokens = next] { Receive(r, tokens); });
    next.set_position(next.position() + 1);
  }
}

void ClusterSim::Receive(int r, const v1::GenerationTokens& tokens) {
  Router& router = routers_[r];
  if (!router.up) return;
  const auto verdict = router.fence.Accept(tokens);
  if (verdict != AttemptFence::Verdict::kCurrent && !options_.skip_attempt_check) return;
  int64_t& position = client_position_[tokens.generation()];
  if (tokens.position() != position) {
    Violate(absl::StrCat("M5: ", tokens.generation(), " gets position ", tokens.position(),
                         " where ", position, " is next"));
  }
  position = tokens.position() + 1;
}

// ---- invariants ----

void ClusterSim::CheckLayout(const v1::Prepare& prepare) {
  const auto [it, inserted] = layout_of_.try_emplace(EpochText(prepare.epoch()), prepare.layout());
  if (!inserted && it->second != prepare.layout()) {
    Violate(absl::StrCat("M1: epoch ", it->first, " has two layouts"));
  }
}

void ClusterSim::CheckWorker(int w) {
  Worker& worker = workers_[w];
  const Member& member = *worker.member;
  if (member.promise() < worker.promise_seen) Violate(absl::StrCat("M2: w", w, " promises less"));
  if (member.committed() < worker.committed_seen) {
    Violate(absl::StrCat("M2: w", w, " commits to less"));
  }
  worker.promise_seen = member.promise();
  worker.committed_seen = member.committed();
  if (member.live() != worker.attached.has_value() ||
      (member.live() && member.committed() != member.promise())) {
    Violate(absl::StrCat("W3: w", w, " runs an epoch that is not its highest promise"));
  }
}

void ClusterSim::Violate(const std::string& what) {
  if (result_.violation.empty()) result_.violation = what;
}

}  // namespace shoal
