#include "services/router/cluster/membership.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "runtime/base/check.h"
#include "runtime/base/sha256.h"
#include "services/router/cluster/protocol.h"
#include "services/router/cluster/rank_assignment.h"

namespace shoal {

namespace {

// A promise above it would leave no room for R1 to exceed it.
constexpr uint64_t kMaxNumber = uint64_t{1} << 62;
constexpr int kMaxBackoffDoublings = 4;
constexpr int64_t kMaxShareBytes = int64_t{1} << 50;
// One idle beat may have been under way when the last Submit was.
constexpr int kIdleBeatsToRelease = 2;

bool Idle(const v1::Load& load) { return load.running() == 0 && load.waiting() == 0; }

}  // namespace

Membership::Membership(MembershipOptions options)
    : options_(std::move(options)), expected_(options_.expected) {
  CHECK_GT(options_.expected.group_size, 0);
  CHECK_EQ(options_.key_secret.size(), 32u);
}

Membership::Actions Membership::OnMessage(ConnectionId from, const v1::WorkerMessage& message,
                                          absl::Time now) {
  if (message.has_join()) {
    if (!candidates_.contains(from)) Admit(from, message.join(), now);
    return Take();
  }
  const auto it = candidates_.find(from);
  if (it == candidates_.end()) return Take();
  Candidate& c = it->second;
  c.heard = now;
  switch (message.message_case()) {
    case v1::WorkerMessage::kPrepared:
      OnPrepared(from, message.prepared(), now);
      break;
    case v1::WorkerMessage::kRefused:
      OnRefused(c, message.refused(), now);
      break;
    case v1::WorkerMessage::kBeat:
      OnBeat(c, message.beat(), now);
      break;
    case v1::WorkerMessage::kSuspect:
      OnSuspect(c, message.suspect(), now);
      break;
    case v1::WorkerMessage::kLeaving:
      c.leaving = true;
      for (auto& [id, other] : candidates_) other.idle_beats = 0;
      ReleaseLeavers(now);
      break;
    case v1::WorkerMessage::kLoadProgress:
      OnLoadProgress(c, message.load_progress(), now);
      break;
    case v1::WorkerMessage::kJoin:
    case v1::WorkerMessage::MESSAGE_NOT_SET:
      break;
  }
  Form(now);
  return Take();
}

Membership::Actions Membership::OnClosed(ConnectionId connection, const std::string& why,
                                         absl::Time now) {
  Drop(connection, why, now);
  Form(now);
  return Take();
}

Membership::Actions Membership::Tick(absl::Time now) {
  std::vector<std::pair<ConnectionId, std::string>> lost;
  for (const auto& [id, c] : candidates_) {
    if (now - c.heard > options_.lease) {
      lost.emplace_back(id, absl::StrCat("silent for ", absl::FormatDuration(now - c.heard)));
    } else if (InGroup(c) && now - c.moved > options_.step_deadline + options_.lease) {
      // A live control thread over a hung engine. The process must go: it cannot quiet its device.
      Reject(id, Rejection("engine", "a pass within its deadline",
                           absl::StrCat("none for ", absl::FormatDuration(now - c.moved))));
      lost.emplace_back(id, "its engine hangs");
    } else {
      v1::RouterMessage pulse;
      pulse.mutable_pulse();
      Send(id, std::move(pulse));
    }
  }
  for (const auto& [id, why] : lost) {
    actions_.push_back(CloseJoin{id});
    Drop(id, why, now);
  }
  if ((phase_ == Phase::kPreparing || phase_ == Phase::kCommitted) &&
      now - progress_ > options_.prepare_timeout) {
    FailPreparation(absl::StrCat("epoch ", EpochText(epoch_), " was not ready: ", WaitingFor()),
                    absl::ZeroDuration(), now);
  }
  Form(now);
  return Take();
}

// ---- joining and leaving ----

void Membership::Admit(ConnectionId from, const v1::Join& join, absl::Time now) {
  std::optional<v1::Rejected> rejected = CheckJoin(expected_, join);
  if (!rejected && join.highest_promise().number() >= kMaxNumber) {
    rejected = Rejection("highest_promise", absl::StrCat("below ", kMaxNumber),
                         absl::StrCat(join.highest_promise().number()));
  }
  if (rejected) {
    Reject(from, *std::move(rejected));
    actions_.push_back(CloseJoin{from});
    return;
  }
  if (!ReplaceOrReject(from, join, now)) return;
  expected_.weight_digest = join.weight_digest();
  expected_.numerics_id = join.numerics_id();
  highest_number_ = std::max(highest_number_, join.highest_promise().number());
  Candidate& c = candidates_[from];
  c.join = join;
  c.heard = c.moved = now;
  if (!join.loaded_placement().empty() &&
      join.loaded_placement() == PlacementDigest(options_.placement)) {
    last_rank_[join.worker().name()] = join.loaded_rank();
  }
  v1::RouterMessage welcome;
  welcome.mutable_welcome()->set_router_incarnation(options_.incarnation);
  welcome.mutable_welcome()->set_protocol(std::min(kProtocolMax, join.protocol_max()));
  welcome.mutable_welcome()->set_lease_millis(absl::ToInt64Milliseconds(options_.lease));
  welcome.mutable_welcome()->set_beat_millis(absl::ToInt64Milliseconds(options_.beat));
  Send(from, std::move(welcome));
  actions_.push_back(WorkerAdmitted{from, join.worker(), join.generate_address()});
  Form(now);
}

// A process of the same name is the one that was restarted (or the same one that dialled again), so
// the old one goes. A rank that the operator gave to two names is refused to the second.
bool Membership::ReplaceOrReject(ConnectionId from, const v1::Join& join, absl::Time now) {
  std::vector<ConnectionId> replaced;
  for (const auto& [id, c] : candidates_) {
    if (c.join.worker().name() == join.worker().name()) {
      replaced.push_back(id);
    } else if (join.desired_rank() >= 0 && c.join.desired_rank() == join.desired_rank()) {
      Reject(from, Rejection("desired_rank",
                             absl::StrCat("rank ", join.desired_rank(), " taken by ",
                                          c.join.worker().name()),
                             absl::StrCat(join.worker().name(), " asking for it")));
      actions_.push_back(CloseJoin{from});
      return false;
    }
  }
  for (ConnectionId id : replaced) {
    if (!(candidates_.at(id).join.worker() == join.worker())) {
      Reject(id, Rejection("worker.name", "another, newer process of this name",
                           candidates_.at(id).join.worker().name()));
    }
    actions_.push_back(CloseJoin{id});
    Drop(id, "replaced by a new process of that name", now);
  }
  return true;
}

void Membership::Drop(ConnectionId connection, const std::string& why, absl::Time now) {
  const auto it = candidates_.find(connection);
  if (it == candidates_.end()) return;
  const bool in_group = InGroup(it->second);
  const std::string text =
      absl::StrCat(NameOf(it->second), it->second.leaving ? " left: " : " lost: ", why);
  candidates_.erase(it);
  if (candidates_.empty()) {  // nobody is left to disagree with
    expected_ = options_.expected;
    loaded_weights_.clear();
  }
  actions_.push_back(WorkerGone{connection});
  if (in_group) EndEpoch(absl::UnavailableError(text), now);
}

void Membership::Reject(ConnectionId to, v1::Rejected rejected) {
  v1::RouterMessage message;
  *message.mutable_rejected() = std::move(rejected);
  Send(to, std::move(message));
}

bool Membership::draining() const {
  return std::any_of(candidates_.begin(), candidates_.end(),
                     [&](const auto& e) { return InGroup(e.second) && e.second.leaving; });
}

// While a member leaves nothing new is accepted; it may go when no member has anything left to do,
// because every member takes part in every pass.
void Membership::ReleaseLeavers(absl::Time now) {
  const bool busy = phase_ == Phase::kServing &&
                    std::any_of(candidates_.begin(), candidates_.end(), [&](const auto& e) {
                      return InGroup(e.second) && e.second.idle_beats < kIdleBeatsToRelease;
                    });
  if (draining() && busy) return;
  std::vector<std::string> left;
  for (const auto& [id, c] : candidates_) {
    if (!c.leaving) continue;
    if (InGroup(c)) left.push_back(NameOf(c));
    v1::RouterMessage released;
    released.mutable_released();
    Send(id, std::move(released));
  }
  if (!left.empty()) EndEpoch(absl::UnavailableError(absl::StrCat(left.front(), " left")), now);
}

// ---- an epoch's life ----

void Membership::Assign() {
  std::vector<RankWish> wishes;
  std::vector<Candidate*> who;
  for (auto& [id, c] : candidates_) {
    c.rank = -1;
    if (c.leaving) continue;
    const auto last = last_rank_.find(c.join.worker().name());
    wishes.push_back({c.join.worker().name(), c.join.desired_rank(),
                      last == last_rank_.end() ? -1 : last->second});
    who.push_back(&c);
  }
  const std::vector<int> ranks = AssignRanks(wishes, options_.expected.group_size);
  for (size_t i = 0; i < who.size(); ++i) who[i]->rank = ranks[i];
}

v1::Epoch Membership::NextEpoch() const {
  v1::Epoch epoch;
  epoch.set_number(highest_number_ + 1);
  epoch.set_incarnation(options_.incarnation);
  return epoch;
}

void Membership::Form(absl::Time now) {
  if (phase_ != Phase::kGathering) return;
  Assign();
  const auto placed = std::count_if(candidates_.begin(), candidates_.end(),
                                    [](const auto& e) { return e.second.rank >= 0; });
  if (placed < options_.expected.group_size || now < retry_at_) return;
  epoch_ = NextEpoch();
  highest_number_ = std::max(highest_number_, epoch_.number());
  phase_ = Phase::kPreparing;
  progress_ = now;
  SendPrepare(now);
}

void Membership::SendPrepare(absl::Time now) {
  v1::Prepare prepare;
  *prepare.mutable_epoch() = epoch_;
  prepare.mutable_members()->Reserve(options_.expected.group_size);
  for (int r = 0; r < options_.expected.group_size; ++r) prepare.add_members()->set_rank(r);
  for (auto& [id, c] : candidates_) {
    if (c.rank < 0) continue;
    v1::Member& member = *prepare.mutable_members(c.rank);
    *member.mutable_worker() = c.join.worker();
    member.set_mesh_address(c.join.mesh_address());
    last_rank_[c.join.worker().name()] = c.rank;
    c.prepared.clear();
    c.moved = now;
  }
  *prepare.mutable_placement() = options_.placement;
  layout_ = LayoutDigest(prepare.members(), options_.placement,
                         {expected_.config_digest, expected_.weight_digest, expected_.numerics_id});
  prepare.set_layout(layout_);
  prepare.set_group_key(
      BytesOf(HmacSha256(options_.key_secret, absl::StrCat(EpochText(epoch_), " ", layout_))));
  prepare.set_step_deadline_millis(absl::ToInt64Milliseconds(options_.step_deadline));
  for (const auto& [id, c] : candidates_) {
    if (c.rank < 0) continue;
    v1::RouterMessage message;
    *message.mutable_prepare() = prepare;
    message.mutable_prepare()->set_rank(c.rank);
    Send(id, std::move(message));
  }
}

void Membership::OnPrepared(ConnectionId from, const v1::Prepared& prepared, absl::Time now) {
  Candidate& c = candidates_.at(from);
  if (phase_ != Phase::kPreparing || !InGroup(c) || prepared.epoch() != epoch_) return;
  c.prepared = prepared.layout();
  progress_ = now;
  if (c.prepared != layout_) {
    FailPreparation(absl::StrCat(NameOf(c), " has layout ", c.prepared, ", the group ", layout_),
                    absl::ZeroDuration(), now);
    return;
  }
  if (loaded_weights_.empty()) loaded_weights_ = prepared.loaded_weights();
  if (prepared.loaded_weights() != loaded_weights_) {
    Reject(from, Rejection("loaded_weights", loaded_weights_, prepared.loaded_weights(),
                           "the same tensors with other bytes"));
    actions_.push_back(CloseJoin{from});
    Drop(from, "its weights differ", now);
    return;
  }
  CommitIfPrepared(now);
}

bool Membership::MayCommit() const {
  return std::all_of(candidates_.begin(), candidates_.end(), [&](const auto& e) {
    return e.second.rank < 0 || e.second.prepared == layout_;
  });
}

void Membership::CommitIfPrepared(absl::Time now) {
  if (!MayCommit()) return;
  phase_ = Phase::kCommitted;
  progress_ = now;
  for (auto& [id, c] : candidates_) {
    if (c.rank < 0) continue;
    c.moved = now;
    v1::RouterMessage commit;
    *commit.mutable_commit()->mutable_epoch() = epoch_;
    Send(id, std::move(commit));
  }
}

// Told to the sessions only when every member says that it runs the epoch: a Submit that overtakes
// its Commit would be refused.
void Membership::ServeIfRunning() {
  GroupUp up{epoch_, std::vector<ConnectionId>(options_.expected.group_size)};
  for (const auto& [id, c] : candidates_) {
    if (c.rank < 0) continue;
    if (c.state != v1::SERVING || c.runs != epoch_) return;
    up.by_rank[c.rank] = id;
  }
  phase_ = Phase::kServing;
  failures_ = 0;
  last_failure_.clear();
  actions_.push_back(std::move(up));
}

void Membership::OnRefused(Candidate& c, const v1::Refused& refused, absl::Time now) {
  if (refused.highest_promise().number() < kMaxNumber) {
    highest_number_ = std::max(highest_number_, refused.highest_promise().number());
  }
  if (phase_ != Phase::kPreparing || !InGroup(c) || refused.epoch() != epoch_) return;
  const auto wait = std::min(absl::Milliseconds(std::max<int64_t>(refused.retry_after_millis(), 0)),
                             options_.lease);
  FailPreparation(absl::StrCat(NameOf(c), " refused: ", refused.reason()), wait, now);
}

void Membership::OnBeat(Candidate& c, const v1::Beat& beat, absl::Time now) {
  if (beat.passes() != c.passes || Idle(beat.load())) c.moved = now;
  c.passes = beat.passes();
  c.state = beat.state();
  c.runs = beat.epoch();
  c.load = beat.load();
  c.idle_beats = Idle(c.load) ? c.idle_beats + 1 : 0;
  if (phase_ == Phase::kCommitted && InGroup(c)) ServeIfRunning();
  if (draining()) ReleaseLeavers(now);
}

// A broken mesh ends the epoch: its members cannot run a pass, whoever is at fault. Who is lost is
// decided by the Join streams alone.
void Membership::OnSuspect(const Candidate& c, const v1::Suspect& suspect, absl::Time now) {
  if (!InGroup(c) || suspect.epoch() != epoch_) return;
  if (phase_ == Phase::kPreparing) return;  // its own Refused tells
  EndEpoch(absl::UnavailableError(absl::StrCat("seen by ", NameOf(c), ": ", suspect.evidence())),
           now + options_.retry);
}

void Membership::OnLoadProgress(Candidate& c, const v1::LoadProgress& progress, absl::Time now) {
  // A worker's numbers; they are divided and multiplied for people.
  const int64_t total = std::clamp<int64_t>(progress.bytes_total(), 0, kMaxShareBytes);
  const int64_t done = std::clamp<int64_t>(progress.bytes_done(), 0, total);
  if (InGroup(c) && done > c.bytes_done) progress_ = now;
  c.bytes_done = done;
  c.bytes_total = total;
}

void Membership::FailPreparation(const std::string& why, absl::Duration at_least, absl::Time now) {
  const auto backoff = options_.retry * (1 << std::min(failures_, kMaxBackoffDoublings));
  ++failures_;
  EndEpoch(absl::UnavailableError(why), now + std::max(backoff, at_least));
  last_failure_ = why;
}

void Membership::EndEpoch(const absl::Status& why, absl::Time retry_at) {
  if (phase_ == Phase::kGathering) return;
  for (auto& [id, c] : candidates_) {
    if (c.rank < 0) continue;
    v1::RouterMessage abandon;
    *abandon.mutable_abandon()->mutable_epoch() = epoch_;
    abandon.mutable_abandon()->set_reason(std::string(why.message()));
    Send(id, std::move(abandon));
    c.rank = -1;
    c.prepared.clear();
  }
  if (phase_ == Phase::kServing) actions_.push_back(GroupDown{epoch_, why});
  phase_ = Phase::kGathering;
  epoch_.Clear();
  layout_.clear();
  retry_at_ = retry_at;
  last_failure_.clear();
}

std::string Membership::NameOf(const Candidate& c) const {
  const std::string& name = c.join.worker().name();
  return c.rank >= 0 ? absl::StrCat("rank ", c.rank, " (", name, ")")
                     : absl::StrCat("worker ", name);
}

void Membership::Send(ConnectionId to, v1::RouterMessage message) {
  actions_.push_back(SendToWorker{to, std::move(message)});
}

Membership::Actions Membership::Take() { return std::exchange(actions_, {}); }

}  // namespace shoal
