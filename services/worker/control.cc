#include "services/worker/control.h"

#include <algorithm>
#include <deque>
#include <thread>
#include <utility>
#include <variant>

#include "absl/base/thread_annotations.h"
#include "shoal/v1/cluster.grpc.pb.h"

#include "runtime/base/mutex.h"
#include "runtime/base/queue.h"
#include "services/common/channel.h"
#include "services/common/error.h"
#include "services/router/cluster/protocol.h"

namespace shoal {

namespace {

constexpr size_t kMaxEvents = 1 << 16;
constexpr absl::Duration kFirstRedial = absl::Milliseconds(200), kLastRedial = absl::Seconds(2);
constexpr absl::Duration kSayAbsentEvery = absl::Seconds(3);
// How soon a broken group is noticed: a look at a status under a lock.
constexpr absl::Duration kLook = absl::Milliseconds(50);

struct Heard {
  uint64_t call;
  v1::RouterMessage message;
};
struct HungUp {
  uint64_t call;
  absl::Status why;
};
struct Built {
  v1::Epoch epoch;
  absl::Status status;
};
struct Attached {
  v1::Epoch epoch;
};
struct LoadProgressed {
  int64_t done, total;
};
struct LoadFailed {
  absl::Status why;
};
struct LeaveNow {
  absl::Duration deadline;
};
using Event = std::variant<Heard, HungUp, Built, Attached, LoadProgressed, Member::Share,
                           LoadFailed, LeaveNow>;

// One Join stream. A hold keeps OnDone away while writes may be started from outside; the end of
// reading takes it off.
class JoinCall final : public grpc::ClientBidiReactor<v1::WorkerMessage, v1::RouterMessage> {
 public:
  JoinCall(uint64_t id, Queue<Event>& events) : id_(id), events_(events) {}

  void Begin(v1::Membership::Stub& stub) {
    stub.async()->Join(&context_, this);
    AddHold();
    StartRead(&incoming_);
    StartCall();
  }
  void Send(v1::WorkerMessage message) {
    MutexLock lock(&mu_);
    if (ended_) return;
    outbox_.push_back(std::move(message));
    Pump();
  }
  // Returns when gRPC is done with this object.
  void HangUp() {
    context_.TryCancel();
    MutexLock lock(&mu_);
    while (!done_) done_changed_.Wait(&mu_);
  }

  void OnReadDone(bool ok) override {
    if (ok) {
      events_.TryPush(Heard{id_, incoming_}).IgnoreError();  // full: the lease ends it
      incoming_.Clear();
      StartRead(&incoming_);
      return;
    }
    {
      MutexLock lock(&mu_);
      ended_ = true;
    }
    RemoveHold();
  }
  void OnWriteDone(bool ok) override {
    MutexLock lock(&mu_);
    writing_ = false;
    if (ok) Pump();  // if not, the read ends too
  }
  void OnDone(const grpc::Status& status) override {
    const absl::Status why =
        status.ok() ? absl::UnavailableError("the router ended the stream") : FromGrpc(status);
    events_.TryPush(HungUp{id_, why}).IgnoreError();
    MutexLock lock(&mu_);
    done_ = true;
    done_changed_.SignalAll();
  }

 private:
  void Pump() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (writing_ || ended_ || outbox_.empty()) return;
    outgoing_ = std::move(outbox_.front());
    outbox_.pop_front();
    writing_ = true;
    StartWrite(&outgoing_);
  }

  const uint64_t id_;
  Queue<Event>& events_;
  grpc::ClientContext context_;
  v1::RouterMessage incoming_;  // owned by the read that is under way

  Mutex mu_;
  CondVar done_changed_;
  std::deque<v1::WorkerMessage> outbox_ ABSL_GUARDED_BY(mu_);
  v1::WorkerMessage outgoing_ ABSL_GUARDED_BY(mu_);
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  bool done_ ABSL_GUARDED_BY(mu_) = false;
};

class WorkerControlImpl final : public WorkerControl, private RankListener {
 public:
  WorkerControlImpl(Options options, const Clock& clock, Logger& log)
      : options_(std::move(options)),
        clock_(clock),
        log_(log),
        stub_(v1::Membership::NewStub(DialChannel(options_.router))),
        member_(options_.identity) {}
  ~WorkerControlImpl() override { Stop(); }

  RankListener& rank_listener() override { return *this; }
  void Start(Rank& rank) override {
    rank_ = &rank;
    thread_ = std::thread([this] { Run(); });
  }
  void Leave(absl::Duration deadline) override { Put(LeaveNow{deadline}); }
  void Stop() override {
    events_.Close();
    if (thread_.joinable()) thread_.join();
  }
  std::optional<StopWorker> ended() const override {
    MutexLock lock(&mu_);
    return ended_;
  }
  bool live() const override {
    MutexLock lock(&mu_);
    return live_;
  }

 private:
  void OnBuilt(const v1::Epoch& epoch, const absl::Status& status) override {
    Put(Built{epoch, status});
  }
  void OnAttached(const v1::Epoch& epoch) override { Put(Attached{epoch}); }
  void OnLoadProgress(int64_t done, int64_t total) override { Put(LoadProgressed{done, total}); }
  void OnShareLoaded(const Member::Share& share) override { Put(share); }
  void OnLoadFailed(const absl::Status& why) override { Put(LoadFailed{why}); }
  void Put(Event event) { events_.TryPush(std::move(event)).IgnoreError(); }

  // On the control thread.
  void Run();
  void Handle(const Event& event, absl::Time now);
  void Do(Member::Actions actions);
  void Dial();
  void OnHungUp(const HungUp& hung_up, absl::Time now);
  void Look();

  const Options options_;
  const Clock& clock_;
  Logger& log_;
  const std::unique_ptr<v1::Membership::Stub> stub_;
  Queue<Event> events_{kMaxEvents};
  std::thread thread_;

  // Owned by the control thread.
  Rank* rank_ = nullptr;
  Member member_;
  std::unique_ptr<JoinCall> call_;
  uint64_t call_id_ = 0;
  bool welcome_ = false;  // of this call: the router answered
  absl::Time redial_at_ = absl::InfinitePast();
  absl::Duration redial_ = kFirstRedial;
  absl::Time said_absent_ = absl::InfinitePast();

  mutable Mutex mu_;
  std::optional<StopWorker> ended_ ABSL_GUARDED_BY(mu_);
  bool live_ ABSL_GUARDED_BY(mu_) = false;
};

void WorkerControlImpl::Run() {
  absl::Time next_beat = clock_.Now();
  absl::Time next_look = next_beat;
  while (true) {
    absl::StatusOr<std::vector<Event>> events = events_.PopAll(std::min(next_beat, next_look));
    if (absl::IsAborted(events.status())) break;
    const absl::Time now = clock_.Now();
    if (events.ok()) {
      for (const Event& event : *events) Handle(event, now);
    }
    if (call_ == nullptr && now >= redial_at_) Dial();
    if (now >= next_look) {
      Look();
      next_look = now + kLook;
    }
    if (now >= next_beat) {
      Do(member_.Tick(rank_->report()));
      if (options_.on_beat) options_.on_beat();
      next_beat = now + member_.beat();
    }
    MutexLock lock(&mu_);
    live_ = member_.live() && welcome_;
  }
  if (call_ != nullptr) call_->HangUp();
  call_.reset();
}

void WorkerControlImpl::Look() {
  if (!member_.live()) return;
  const absl::Status status = rank_->group_status();
  if (!status.ok()) Do(member_.OnGroupBroken(status));
}

void WorkerControlImpl::Handle(const Event& event, absl::Time now) {
  if (const auto* heard = std::get_if<Heard>(&event)) {
    if (heard->call != call_id_) return;
    if (heard->message.has_welcome()) {
      welcome_ = true;
      redial_ = kFirstRedial;
      log_.Info("joined", {{"router", options_.router}});
    }
    member_.Observe(rank_->report());
    Do(member_.OnMessage(heard->message, now));
  } else if (const auto* hung_up = std::get_if<HungUp>(&event)) {
    OnHungUp(*hung_up, now);
  } else if (const auto* built = std::get_if<Built>(&event)) {
    if (!built->status.ok()) log_.Warning("no group", {{"error", built->status}});
    Do(member_.OnBuilt(built->epoch, built->status));
  } else if (const auto* attached = std::get_if<Attached>(&event)) {
    Do(member_.OnAttached(attached->epoch));
  } else if (const auto* progress = std::get_if<LoadProgressed>(&event)) {
    Do(member_.OnLoadProgress(progress->done, progress->total));
  } else if (const auto* share = std::get_if<Member::Share>(&event)) {
    member_.OnShareLoaded(*share);
  } else if (const auto* failed = std::get_if<LoadFailed>(&event)) {
    Do(member_.OnLoadFailed(failed->why));
  } else if (const auto* leave = std::get_if<LeaveNow>(&event)) {
    Do(member_.Leave(leave->deadline));
  }
}

void WorkerControlImpl::Do(Member::Actions actions) {
  for (MemberAction& action : actions) {
    if (auto* send = std::get_if<SendToRouter>(&action)) {
      if (call_ != nullptr) call_->Send(std::move(send->message));
    } else if (const auto* build = std::get_if<BuildGroup>(&action)) {
      log_.Info("preparing",
                {{"epoch", EpochText(build->prepare.epoch())}, {"rank", build->prepare.rank()}});
      rank_->Build(build->prepare);
    } else if (std::holds_alternative<StopBuild>(action)) {
      rank_->StopBuild();
    } else if (const auto* attach = std::get_if<AttachGroup>(&action)) {
      rank_->Attach(attach->epoch);
    } else if (const auto* leave = std::get_if<LeaveGroup>(&action)) {
      rank_->Leave(leave->why);
    } else if (const auto* stop = std::get_if<StopWorker>(&action)) {
      MutexLock lock(&mu_);
      if (!ended_) ended_ = *stop;
    }
  }
}

void WorkerControlImpl::Dial() {
  call_ = std::make_unique<JoinCall>(++call_id_, events_);
  call_->Begin(*stub_);
  Do(member_.OnConnected());
}

// The router is absent, went away, or said no (then Rejected came before).
void WorkerControlImpl::OnHungUp(const HungUp& hung_up, absl::Time now) {
  if (hung_up.call != call_id_) return;
  call_->HangUp();  // it is done: returns at once
  call_.reset();
  const bool answered = std::exchange(welcome_, false);
  Do(member_.OnDisconnected());
  redial_at_ = now + redial_;
  redial_ = std::min(redial_ * 2, kLastRedial);
  if (answered || now - said_absent_ >= kSayAbsentEvery) {
    said_absent_ = now;
    log_.Warning(answered ? "the router went away; dialling again" : "waiting for the router",
                 {{"router", options_.router}, {"why", hung_up.why.message()}});
  }
}

}  // namespace

std::unique_ptr<WorkerControl> WorkerControl::Create(Options options, const Clock& clock,
                                                     Logger& log) {
  return std::make_unique<WorkerControlImpl>(std::move(options), clock, log);
}

}  // namespace shoal
