#include "services/worker/member.h"

#include <utility>

#include "absl/strings/str_cat.h"

#include "runtime/comm/lost_rank.h"
#include "services/router/cluster/protocol.h"

namespace shoal {

Member::Member(v1::Join identity) : identity_(std::move(identity)) {}

// ---- the stream ----

Member::Actions Member::OnConnected() {
  connected_ = true;
  v1::WorkerMessage message;
  v1::Join& join = *message.mutable_join();
  join = identity_;
  *join.mutable_highest_promise() = promise_;
  if (live_) *join.mutable_committed_epoch() = committed_;
  join.set_loaded_placement(share_.placement_digest);
  join.set_loaded_rank(share_.rank);
  actions_.push_back(SendToRouter{std::move(message)});
  SendBeat();
  if (share_.bytes > 0) SendLoadProgress(share_.bytes, share_.bytes);
  if (leaving_) SendLeaving();
  return Take();
}

// A committed epoch goes on without its router. One that is not committed never will be: the router
// counts a closed stream as a lost worker.
Member::Actions Member::OnDisconnected() {
  connected_ = false;
  if (!live_) DropGroup(absl::UnavailableError("the router's stream closed"));
  return Take();
}

Member::Actions Member::OnMessage(const v1::RouterMessage& message, absl::Time now) {
  switch (message.message_case()) {
    case v1::RouterMessage::kWelcome:
      router_ = message.welcome().router_incarnation();
      if (message.welcome().beat_millis() > 0) {
        beat_ = absl::Milliseconds(message.welcome().beat_millis());
      }
      if (message.welcome().lease_millis() > 0) {
        lease_ = absl::Milliseconds(message.welcome().lease_millis());
      }
      break;
    case v1::RouterMessage::kRejected:
      DropGroup(absl::UnavailableError("the router rejected this worker"));
      actions_.push_back(StopWorker{StopWorker::Cause::kRejected,
                                    absl::FailedPreconditionError(message.rejected().reason())});
      break;
    case v1::RouterMessage::kPrepare:
      OnPrepare(message.prepare(), now);
      break;
    case v1::RouterMessage::kCommit:
      OnCommit(message.commit().epoch());
      break;
    case v1::RouterMessage::kAbandon:
      OnAbandon(message.abandon());
      break;
    case v1::RouterMessage::kReleased:
      if (leaving_) {
        actions_.push_back(StopWorker{StopWorker::Cause::kReleased, absl::OkStatus()});
      }
      break;
    case v1::RouterMessage::kPulse:
    case v1::RouterMessage::MESSAGE_NOT_SET:
      break;
  }
  if (router_ == committed_.incarnation()) router_heard_ = now;
  return Take();
}

// ---- an epoch ----

bool Member::MayPromise(const v1::Epoch& epoch) const { return promise_ < epoch; }

void Member::OnPrepare(const v1::Prepare& prepare, absl::Time now) {
  const v1::Epoch& epoch = prepare.epoch();
  if (epoch == promise_ && prepare.layout() == prepare_.layout()) {
    if (building_ == Building::kDone) SendPrepared();  // the message came twice
    return;
  }
  if (!MayPromise(epoch)) {
    Refuse(epoch, absl::StrCat("epoch ", EpochText(promise_), " is promised"),
           absl::ZeroDuration());
    return;
  }
  const absl::Duration silent = now - router_heard_;
  if (live_ && epoch.incarnation() != committed_.incarnation() && silent < lease_) {
    Refuse(epoch, absl::StrCat("epoch ", EpochText(committed_), " of another router is live here"),
           lease_ - silent);
    return;
  }
  if (const std::string why = WhyUnfit(prepare); !why.empty()) {
    Refuse(epoch, why, absl::ZeroDuration());
    return;
  }
  DropGroup(absl::UnavailableError("the group is formed anew"));
  promise_ = epoch;
  prepare_ = prepare;
  building_ = Building::kUnderWay;
  actions_.push_back(BuildGroup{prepare});
}

std::string Member::WhyUnfit(const v1::Prepare& prepare) const {
  if (leaving_) return "this worker is leaving";
  if (prepare.rank() < 0 || prepare.rank() >= prepare.members_size()) {
    return absl::StrCat("rank ", prepare.rank(), " of ", prepare.members_size(), " members");
  }
  for (int r = 0; r < prepare.members_size(); ++r) {
    if (prepare.members(r).rank() == r) continue;
    return absl::StrCat("member ", r, " has rank ", prepare.members(r).rank());
  }
  const v1::WorkerId& me = prepare.members(prepare.rank()).worker();
  if (!(me == identity_.worker())) {
    return absl::StrCat("rank ", prepare.rank(), " is ", me.name(), " of another process, not ",
                        identity_.worker().name());
  }
  const std::string layout =
      LayoutDigest(prepare.members(), prepare.placement(),
                   {identity_.config_digest(), identity_.weight_digest(), identity_.numerics_id()});
  if (layout != prepare.layout()) {
    return absl::StrCat("layout: the router has ", prepare.layout(), ", this worker ", layout);
  }
  return "";
}

Member::Actions Member::OnBuilt(const v1::Epoch& epoch, const absl::Status& status) {
  if (building_ != Building::kUnderWay || epoch != promise_) return Take();
  loading_ = false;
  if (status.ok()) {
    building_ = Building::kDone;
    SendPrepared();
  } else {
    building_ = Building::kNo;
    Refuse(epoch, std::string(status.message()), absl::ZeroDuration());
  }
  return Take();
}

Member::Actions Member::OnLoadFailed(const absl::Status& why) {
  if (building_ == Building::kUnderWay) {
    building_ = Building::kNo;
    Refuse(promise_, absl::StrCat("cannot load: ", why.message()), absl::ZeroDuration());
  }
  actions_.push_back(StopWorker{StopWorker::Cause::kCannotLoad, why});
  return Take();
}

void Member::OnCommit(const v1::Epoch& epoch) {
  if (building_ != Building::kDone || epoch != promise_) return;
  building_ = Building::kNo;
  committed_ = epoch;
  live_ = true;
  actions_.push_back(AttachGroup{epoch});
}

Member::Actions Member::OnAttached(const v1::Epoch& epoch) {
  if (!live_ || epoch != committed_) return Take();
  attached_ = true;
  SendBeat();
  return Take();
}

void Member::OnAbandon(const v1::Abandon& abandon) {
  if (abandon.epoch() != promise_) return;
  DropGroup(absl::UnavailableError(abandon.reason().empty() ? "the router gave the epoch up"
                                                            : abandon.reason()));
}

Member::Actions Member::OnGroupBroken(const absl::Status& evidence) {
  if (!live_) return Take();
  v1::WorkerMessage message;
  v1::Suspect& suspect = *message.mutable_suspect();
  *suspect.mutable_epoch() = committed_;
  suspect.set_rank(BlamedRank(evidence).value_or(-1));
  suspect.set_evidence(std::string(evidence.message()));
  DropGroup(absl::UnavailableError(evidence.message()));
  actions_.push_back(SendToRouter{std::move(message)});
  return Take();
}

void Member::DropGroup(const absl::Status& why) {
  if (live_) {
    actions_.push_back(LeaveGroup{why});
  } else if (building_ != Building::kNo) {
    actions_.push_back(StopBuild{});
  }
  live_ = attached_ = false;
  building_ = Building::kNo;
  loading_ = false;
}

// ---- words ----

Member::Actions Member::OnLoadProgress(int64_t bytes_done, int64_t bytes_total) {
  loading_ = bytes_done < bytes_total;
  SendLoadProgress(bytes_done, bytes_total);
  return Take();
}

void Member::SendLoadProgress(int64_t bytes_done, int64_t bytes_total) {
  v1::WorkerMessage message;
  message.mutable_load_progress()->set_bytes_done(bytes_done);
  message.mutable_load_progress()->set_bytes_total(bytes_total);
  actions_.push_back(SendToRouter{std::move(message)});
}

Member::Actions Member::Tick(const EngineReport& report) {
  Observe(report);
  SendBeat();
  return Take();
}

Member::Actions Member::Leave(absl::Duration deadline) {
  leaving_ = true;
  leave_within_ = deadline;
  SendLeaving();
  return Take();
}

void Member::SendLeaving() {
  v1::WorkerMessage message;
  message.mutable_leaving()->set_deadline_millis(absl::ToInt64Milliseconds(leave_within_));
  actions_.push_back(SendToRouter{std::move(message)});
}

void Member::Refuse(const v1::Epoch& epoch, const std::string& reason, absl::Duration retry_after) {
  v1::WorkerMessage message;
  v1::Refused& refused = *message.mutable_refused();
  *refused.mutable_epoch() = epoch;
  *refused.mutable_highest_promise() = promise_;
  refused.set_reason(reason);
  refused.set_retry_after_millis(absl::ToInt64Milliseconds(retry_after));
  actions_.push_back(SendToRouter{std::move(message)});
}

void Member::SendPrepared() {
  v1::WorkerMessage message;
  *message.mutable_prepared()->mutable_epoch() = promise_;
  message.mutable_prepared()->set_layout(prepare_.layout());  // equal to our own: WhyUnfit()
  message.mutable_prepared()->set_loaded_weights(share_.weights);
  actions_.push_back(SendToRouter{std::move(message)});
}

void Member::SendBeat() {
  v1::WorkerMessage message;
  v1::Beat& beat = *message.mutable_beat();
  if (live_) *beat.mutable_epoch() = committed_;
  beat.set_passes(report_.passes);
  beat.set_state(State());
  *beat.mutable_load() = report_.load;
  actions_.push_back(SendToRouter{std::move(message)});
}

v1::WorkerState Member::State() const {
  if (attached_) return v1::SERVING;
  if (live_) return v1::PREPARING;
  if (building_ == Building::kNo) return v1::READY;
  return loading_ ? v1::LOADING : v1::PREPARING;
}

// Words to a router that is not there are lost: Join says anew what counts.
Member::Actions Member::Take() {
  Actions actions = std::exchange(actions_, {});
  if (!connected_) {
    std::erase_if(actions, [](const auto& a) { return std::holds_alternative<SendToRouter>(a); });
  }
  return actions;
}

}  // namespace shoal
