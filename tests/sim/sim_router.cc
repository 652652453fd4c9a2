#include "tests/sim/sim_router.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "prometheus/registry.h"

#include "runtime/base/check.h"
#include "runtime/engine/testing/fake_model.h"
#include "runtime/metrics/router_metrics.h"
#include "runtime/text/tokenizer.h"
#include "services/router/cluster/protocol.h"

namespace shoal {

namespace {

constexpr int64_t kMaxLagTokens = 1000;

RouterMetrics& Metrics() {
  static auto* const registry = new prometheus::Registry;
  static auto* const metrics = new RouterMetrics(*registry);
  return *metrics;
}

const Tokenizer& Words() {
  static const auto* const tokenizer = [] {
    auto loaded = Tokenizer::Load("tools/nano/model/tokenizer.json");
    CHECK_OK(loaded);
    return loaded->release();
  }();
  return *tokenizer;
}

}  // namespace

SimRouter::SimRouter(MembershipOptions options, const SimSaboteurs& saboteurs, SimNetwork& network,
                     const FiberClock& clock, SimHistory& history)
    : saboteurs_(saboteurs),
      network_(network),
      clock_(clock),
      history_(history),
      membership_(std::move(options)),
      table_(64, *this, clock, Metrics()) {}

void SimRouter::Do(Membership::Actions actions) {
  std::vector<ConnectionId> gone;
  for (MembershipAction& action : actions) {
    if (auto* send = std::get_if<SendToWorker>(&action)) {
      network_.ToWorker(send->to, std::move(send->message));
    } else if (const auto* close = std::get_if<CloseJoin>(&action)) {
      network_.CloseJoin(close->connection);
    } else if (const auto* admitted = std::get_if<WorkerAdmitted>(&action)) {
      links_[admitted->connection].data = std::make_shared<SimStream>();
    } else if (const auto* left = std::get_if<WorkerGone>(&action)) {
      gone.push_back(left->connection);
    } else if (const auto* up = std::get_if<GroupUp>(&action)) {
      ++groups_;
      by_rank_ = up->by_rank;
      for (ConnectionId link : by_rank_) links_.at(link).fence.Clear();
      history_.Note(absl::StrCat("group serves in ", EpochText(up->epoch)), clock_.Now());
      if (saboteurs_.resubmit) Resubmit();
    } else if (const auto* down = std::get_if<GroupDown>(&action)) {
      history_.Note(absl::StrCat("group ends: ", down->why.message()), clock_.Now());
      for (size_t r = 0; r < by_rank_.size(); ++r) Lose(static_cast<int>(r), down->why);
      by_rank_.clear();
    }
  }
  for (ConnectionId link : gone) {
    links_.at(link).data->open = false;
    links_.erase(link);
  }
  Drain();
}

void SimRouter::Lose(int rank, const absl::Status& why) {
  links_.at(by_rank_[rank]).fence.Clear();
  for (auto it = given_.begin(); it != given_.end();) {
    if (it->second.first != rank) {
      ++it;
      continue;
    }
    history_.LostWithRank(it->first, clock_.Now());
    if (saboteurs_.resubmit) lost_.push_back(it->second.second);
    given_.erase(it++);
  }
  table_.OnRankLost(rank, why);
  Drain();
}

void SimRouter::Resubmit() {
  for (const v1::Submit& submit : std::exchange(lost_, {})) Submit(0, submit).IgnoreError();
}

int SimRouter::RankOf(ConnectionId link) const {
  const auto it = std::find(by_rank_.begin(), by_rank_.end(), link);
  return it == by_rank_.end() ? -1 : static_cast<int>(it - by_rank_.begin());
}

void SimRouter::BreakData(ConnectionId link, const std::string& why) {
  const auto it = links_.find(link);
  if (it == links_.end()) return;
  it->second.data->open = false;
  it->second.data = std::make_shared<SimStream>();
  const int rank = RankOf(link);
  if (rank >= 0) Lose(rank, absl::UnavailableError(why));
}

std::shared_ptr<SimStream> SimRouter::DataOf(ConnectionId link) const {
  const auto it = links_.find(link);
  return it == links_.end() ? nullptr : it->second.data;
}

void SimRouter::OnTokens(const std::shared_ptr<SimStream>& data, ConnectionId from,
                         const v1::Tokens& tokens) {
  const auto it = links_.find(from);
  const int rank = RankOf(from);
  if (it == links_.end() || it->second.data != data) return;
  v1::Tokens kept;
  bool lies = false;
  for (const v1::GenerationTokens& word : tokens.generations()) {
    const auto verdict = it->second.fence.Accept(word);
    if (verdict == AttemptFence::Verdict::kCurrent || saboteurs_.no_fence) {
      *kept.add_generations() = word;
    } else if (verdict == AttemptFence::Verdict::kRepeated) {
      lies = true;
    } else if (word.end() == v1::GenerationTokens::NOT_ENDED) {
      network_.CancelAt(data, from, word.generation(), word.attempt());
    }
  }
  if (rank >= 0 && kept.generations_size() > 0) table_.OnTokens(rank, kept);
  for (const v1::GenerationTokens& word : kept.generations()) {
    if (word.end() != v1::GenerationTokens::NOT_ENDED) given_.erase(word.generation());
  }
  if (lies) BreakData(from, "it repeats itself");
  Drain();
}

// ---- clients ----

void SimRouter::Start(GenerationSpec spec, const Request& request) {
  const std::string id = spec.generation_id;
  history_.Asked(id, static_cast<int64_t>(request.prompt.size()), ReferenceTokens(request),
                 clock_.Now());
  auto outbox = std::make_shared<Outbox>(kMaxLagTokens);
  clients_[id] = outbox;
  const absl::Status started =
      table_.Start(std::make_shared<Generation>(std::move(spec), OutputText::Plain(Words()), outbox,
                                                clock_, Metrics()),
                   1);
  if (!started.ok()) {
    clients_.erase(id);
    history_.Refused(id, started, clock_.Now());
  }
}

void SimRouter::Drain() {
  for (auto it = clients_.begin(); it != clients_.end();) {
    bool over = false;
    for (Outbox::Item item = it->second->TryTake(); item.event || item.end;
         item = it->second->TryTake()) {
      if (item.event) {
        history_.Event(it->first, *item.event, clock_.Now());
        continue;
      }
      history_.Ended(it->first, *item.end, clock_.Now());
      over = true;
      break;
    }
    if (over) {
      clients_.erase(it++);
    } else {
      ++it;
    }
  }
}

std::vector<std::string> SimRouter::open() const {
  std::vector<std::string> ids;
  for (const auto& [id, outbox] : clients_) ids.push_back(id);
  return ids;
}

// ---- as the sessions see it ----

GroupSnapshot SimRouter::Snapshot() const {
  GroupSnapshot snapshot;
  snapshot.serving = membership_.serving() && !membership_.draining();
  snapshot.waiting_for = membership_.WaitingFor();
  if (!membership_.serving()) return snapshot;
  for (size_t r = 0; r < by_rank_.size(); ++r) {
    snapshot.ranks.push_back({.rank = static_cast<int32_t>(r),
                              .accepting = snapshot.serving,
                              .max_waiting = 8,
                              .kv_blocks_free = 3,
                              .kv_blocks_total = 3});
  }
  return snapshot;
}

absl::Status SimRouter::Submit(int32_t rank, const v1::Submit& submit) {
  if (rank < 0 || static_cast<size_t>(rank) >= by_rank_.size()) {
    return absl::UnavailableError(absl::StrCat("rank ", rank, " is not serving"));
  }
  Link& link = links_.at(by_rank_[rank]);
  link.fence.Add(submit.generation(), submit.attempt(),
                 int64_t{submit.prompt_size()} + submit.emitted_size());
  given_[submit.generation()] = {rank, submit};
  history_.GivenToRank(submit.generation(), clock_.Now());
  network_.SubmitTo(link.data, by_rank_[rank], submit);
  return absl::OkStatus();
}

void SimRouter::Cancel(int32_t rank, absl::string_view generation, uint32_t attempt) {
  if (rank < 0 || static_cast<size_t>(rank) >= by_rank_.size()) return;
  network_.CancelAt(links_.at(by_rank_[rank]).data, by_rank_[rank], std::string(generation),
                    attempt);
}

}  // namespace shoal
