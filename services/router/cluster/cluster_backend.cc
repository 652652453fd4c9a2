#include "services/router/cluster/cluster_backend.h"

#include <algorithm>
#include <map>
#include <memory>
#include <thread>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"

#include "runtime/base/mutex.h"
#include "runtime/base/queue.h"
#include "services/router/cluster/cluster_service.h"
#include "services/router/cluster/join_service.h"
#include "services/router/cluster/protocol.h"
#include "services/router/cluster/worker_link.h"

namespace shoal {

namespace {

constexpr size_t kMaxEvents = 1 << 20;
constexpr absl::Duration kRedial = absl::Milliseconds(200);

struct JoinMessage {
  ConnectionId from;
  v1::WorkerMessage message;
};
struct JoinClosed {
  ConnectionId connection;
  std::string why;
};
struct LinkUp {
  ConnectionId link;
};
struct LinkDown {
  ConnectionId link;
  absl::Status why;
};
using Event = std::variant<JoinMessage, JoinClosed, LinkUp, LinkDown>;

class ClusterBackendImpl final : public ClusterBackend, private JoinHandler, private LinkHandler {
 public:
  ClusterBackendImpl(MembershipOptions options, const Surroundings& around)
      : options_(options), around_(around), membership_(std::move(options)), joins_(*this) {
    Publish();
  }
  ~ClusterBackendImpl() override { Stop(); }

  void Start(BackendListener& listener) override {
    listener_ = &listener;
    thread_ = std::thread([this] { Run(); });
  }
  void Stop() override;
  std::vector<grpc::Service*> control_services() override { return {&joins_, &cluster_}; }
  Agreed agreed() const override {
    MutexLock lock(&mu_);
    return agreed_;
  }

  GroupSnapshot Snapshot() const override;
  absl::Status Submit(int32_t rank, const v1::Submit& submit) override;
  void Cancel(int32_t rank, absl::string_view generation, uint32_t attempt) override;

 private:
  struct Peer {
    std::shared_ptr<WorkerLink> link;
    std::string name;
    bool down = false;
    absl::Time redial_at;
  };

  void OnJoinMessage(ConnectionId from, const v1::WorkerMessage& message) override {
    Put(JoinMessage{from, message});
  }
  void OnJoinClosed(ConnectionId connection, const std::string& why) override {
    Put(JoinClosed{connection, why});
  }
  void OnLinkUp(ConnectionId link) override { Put(LinkUp{link}); }
  void OnLinkDown(ConnectionId link, const absl::Status& why) override { Put(LinkDown{link, why}); }
  void Put(Event event) {
    if (const auto full = events_.TryPush(std::move(event)); absl::IsResourceExhausted(full)) {
      around_.log.Error("control events dropped", {{"limit", kMaxEvents}});
    }
  }

  // On the control thread.
  void Run();
  void Handle(const Event& event, absl::Time now);
  void Do(Membership::Actions actions);
  void Admit(const WorkerAdmitted& admitted);
  void Begin(const GroupUp& up);
  void End(const GroupDown& down);
  void OnDataStreamDown(const LinkDown& down, absl::Time now);
  void Redial(absl::Time now);
  void Publish();
  void CountRanks(const v1::ClusterState& state);
  int RankOf(ConnectionId connection) const;

  const MembershipOptions options_;
  const Surroundings around_;
  Queue<Event> events_{kMaxEvents};
  std::thread thread_;

  // Owned by the control thread.
  BackendListener* listener_ = nullptr;
  Membership membership_;
  std::map<ConnectionId, Peer> peers_;
  std::vector<ConnectionId> by_rank_;  // of the epoch that serves
  std::string last_waiting_for_;
  bool was_serving_ = false;
  bool loads_due_ = true;  // what changes all the time is shown to watchers once per beat

  JoinService joins_;
  ClusterService cluster_;

  mutable Mutex mu_;
  GroupSnapshot snapshot_ ABSL_GUARDED_BY(mu_);  // `accepting` without the links' part
  std::vector<std::shared_ptr<WorkerLink>> links_ ABSL_GUARDED_BY(mu_);  // by rank; while serving
  Agreed agreed_ ABSL_GUARDED_BY(mu_);
};

// ---- for the sessions ----

GroupSnapshot ClusterBackendImpl::Snapshot() const {
  MutexLock lock(&mu_);
  GroupSnapshot snapshot = snapshot_;
  bool any = false;
  for (size_t r = 0; r < snapshot.ranks.size(); ++r) {
    snapshot.ranks[r].accepting &= r < links_.size() && links_[r]->up();
    any |= snapshot.ranks[r].accepting;
  }
  if (snapshot.serving && !any) {
    snapshot.serving = false;
    if (snapshot.waiting_for.empty()) snapshot.waiting_for = "the workers' data streams";
  }
  return snapshot;
}

absl::Status ClusterBackendImpl::Submit(int32_t rank, const v1::Submit& submit) {
  MutexLock lock(&mu_);
  if (rank < 0 || static_cast<size_t>(rank) >= links_.size()) {
    return absl::UnavailableError(
        absl::StrCat("rank ", rank, " is not serving: ", snapshot_.waiting_for));
  }
  return links_[rank]->Submit(submit);
}

void ClusterBackendImpl::Cancel(int32_t rank, absl::string_view generation, uint32_t attempt) {
  MutexLock lock(&mu_);
  if (rank < 0 || static_cast<size_t>(rank) >= links_.size()) return;
  links_[rank]->Cancel(generation, attempt);
}

// ---- the control thread ----

void ClusterBackendImpl::Stop() {
  events_.Close();
  if (thread_.joinable()) thread_.join();
  joins_.CloseAll();
  cluster_.EndWatches();
  std::vector<std::shared_ptr<WorkerLink>> links;  // hang up without the lock
  MutexLock lock(&mu_);
  links.swap(links_);
  snapshot_.serving = false;
  snapshot_.waiting_for = "this router is stopping";
}

void ClusterBackendImpl::Run() {
  absl::Time next_tick = around_.clock.Now();
  while (true) {
    absl::StatusOr<std::vector<Event>> events = events_.PopAll(next_tick);
    if (absl::IsAborted(events.status())) break;
    const absl::Time now = around_.clock.Now();
    if (events.ok()) {
      for (const Event& event : *events) Handle(event, now);
    }
    if (now >= next_tick) {
      Do(membership_.Tick(now));
      Redial(now);
      next_tick = now + options_.beat;
      loads_due_ = true;
    }
    Publish();
  }
  peers_.clear();
}

void ClusterBackendImpl::Handle(const Event& event, absl::Time now) {
  if (const auto* message = std::get_if<JoinMessage>(&event)) {
    Do(membership_.OnMessage(message->from, message->message, now));
  } else if (const auto* closed = std::get_if<JoinClosed>(&event)) {
    Do(membership_.OnClosed(closed->connection, closed->why, now));
  } else if (const auto* down = std::get_if<LinkDown>(&event)) {
    OnDataStreamDown(*down, now);
  }
}

void ClusterBackendImpl::Do(Membership::Actions actions) {
  std::vector<ConnectionId> gone;  // only after GroupDown has told their generations
  for (MembershipAction& action : actions) {
    if (auto* send = std::get_if<SendToWorker>(&action)) {
      if (send->message.has_rejected()) {
        const v1::Rejected& r = send->message.rejected();
        around_.log.Warning(
            "worker rejected",
            {{"field", r.field()}, {"expected", r.expected()}, {"actual", r.actual()}});
      }
      joins_.Send(send->to, std::move(send->message));
    } else if (const auto* close = std::get_if<CloseJoin>(&action)) {
      joins_.Close(close->connection);
    } else if (const auto* admitted = std::get_if<WorkerAdmitted>(&action)) {
      Admit(*admitted);
    } else if (const auto* left = std::get_if<WorkerGone>(&action)) {
      gone.push_back(left->connection);
    } else if (const auto* up = std::get_if<GroupUp>(&action)) {
      Begin(*up);
    } else if (const auto* down = std::get_if<GroupDown>(&action)) {
      End(*down);
    }
  }
  for (ConnectionId connection : gone) {
    const auto it = peers_.find(connection);
    if (it == peers_.end()) continue;
    around_.log.Info("worker gone", {{"worker", it->second.name}});
    peers_.erase(it);
  }
}

void ClusterBackendImpl::Admit(const WorkerAdmitted& admitted) {
  WorkerLink::Target target;
  target.id = admitted.connection;
  target.worker = admitted.worker;
  target.address = admitted.generate_address;
  target.cluster = options_.expected.cluster;
  target.router_incarnation = options_.incarnation;
  Peer& peer = peers_[admitted.connection];
  peer.name = admitted.worker.name();
  LinkHandler& handler = *this;
  peer.link = std::make_shared<WorkerLink>(std::move(target), handler, *listener_);
  peer.link->Dial();
  around_.log.Info("worker joined",
                   {{"worker", peer.name}, {"generate_address", admitted.generate_address}});
}

void ClusterBackendImpl::Begin(const GroupUp& up) {
  by_rank_ = up.by_rank;
  std::vector<std::shared_ptr<WorkerLink>> links;
  for (size_t r = 0; r < by_rank_.size(); ++r) {
    links.push_back(peers_.at(by_rank_[r]).link);
    links.back()->BeginEpoch(static_cast<int32_t>(r));
  }
  around_.log.Info("group serving", {{"epoch", EpochText(up.epoch)}, {"ranks", by_rank_.size()}});
  MutexLock lock(&mu_);
  links_ = std::move(links);
}

void ClusterBackendImpl::End(const GroupDown& down) {
  std::vector<std::shared_ptr<WorkerLink>> links;
  {
    MutexLock lock(&mu_);
    links.swap(links_);  // no Submit from here on
    snapshot_.serving = false;
    snapshot_.waiting_for = std::string(down.why.message());
  }
  for (const auto& link : links) link->EndEpoch(down.why);
  by_rank_.clear();
  around_.log.Warning("group ended",
                      {{"epoch", EpochText(down.epoch)}, {"why", down.why.message()}});
}

int ClusterBackendImpl::RankOf(ConnectionId connection) const {
  const auto it = std::find(by_rank_.begin(), by_rank_.end(), connection);
  return it == by_rank_.end() ? -1 : static_cast<int>(it - by_rank_.begin());
}

// The worker may live on: only its generations are gone. If the process died, its Join stream says
// so next.
void ClusterBackendImpl::OnDataStreamDown(const LinkDown& down, absl::Time now) {
  const auto it = peers_.find(down.link);
  if (it == peers_.end()) return;
  Peer& peer = it->second;
  peer.down = true;
  peer.redial_at = now + kRedial;
  const int rank = RankOf(down.link);
  if (rank < 0) return;
  const std::string why = absl::StrCat("rank ", rank, " (", peer.name,
                                       "): its data stream broke: ", down.why.message());
  around_.log.Warning("data stream broke", {{"rank", rank}, {"why", down.why.message()}});
  peer.link->Lose(absl::UnavailableError(why));
}

void ClusterBackendImpl::Redial(absl::Time now) {
  for (auto& [id, peer] : peers_) {
    if (!peer.down || now < peer.redial_at) continue;
    peer.down = false;
    peer.link->Dial();
  }
}

void ClusterBackendImpl::Publish() {
  const v1::ClusterState state = membership_.State();
  GroupSnapshot snapshot;
  snapshot.epoch_number = state.epoch().number();
  snapshot.epoch_incarnation = state.epoch().incarnation();
  snapshot.serving = state.serving() && !membership_.draining();
  snapshot.waiting_for = state.waiting_for();
  if (state.serving()) snapshot.ranks.resize(state.group_size());
  for (const v1::RankState& r : state.ranks()) {
    if (!state.serving() || r.rank() < 0) continue;
    snapshot.ranks[r.rank()] = {.rank = r.rank(),
                                .accepting = snapshot.serving,
                                .running = r.load().running(),
                                .waiting = r.load().waiting(),
                                .max_waiting = r.load().max_waiting(),
                                .kv_blocks_free = r.load().kv_blocks_free(),
                                .kv_blocks_total = r.load().kv_blocks_total()};
  }
  CountRanks(state);
  // Watchers hear at once of what the group does, and every beat of loads.
  const bool news = snapshot.waiting_for != last_waiting_for_ || state.serving() != was_serving_;
  if (snapshot.waiting_for != last_waiting_for_) {
    last_waiting_for_ = snapshot.waiting_for;
    if (!last_waiting_for_.empty()) around_.log.Info("waiting", {{"for", last_waiting_for_}});
  }
  {
    MutexLock lock(&mu_);
    snapshot_ = std::move(snapshot);
    agreed_ = {membership_.expected().weight_digest, membership_.expected().numerics_id};
  }
  // After the snapshot: who sees the group serve may submit.
  if (news || loads_due_) cluster_.Publish(state);
  loads_due_ = false;
  was_serving_ = state.serving();
}

void ClusterBackendImpl::CountRanks(const v1::ClusterState& state) {
  int live = 0, loading = 0;
  double progress = 0;
  for (const v1::RankState& r : state.ranks()) {
    if (r.rank() < 0) continue;
    const bool loads = r.state() == v1::LOADING || r.state() == v1::PREPARING;
    (loads ? loading : live) += 1;
    progress += r.load_progress() / state.group_size();
  }
  around_.metrics.ranks_live.Set(live);
  around_.metrics.ranks_loading.Set(loading);
  around_.metrics.ranks_lost.Set(state.group_size() - live - loading);
  around_.metrics.epoch.Set(static_cast<double>(state.epoch().number()));
  around_.process_metrics.weights_load_progress.Set(progress);
}

}  // namespace

std::unique_ptr<ClusterBackend> ClusterBackend::Create(MembershipOptions options,
                                                       const Surroundings& surroundings) {
  return std::make_unique<ClusterBackendImpl>(std::move(options), surroundings);
}

}  // namespace shoal
