#include "services/router/session/generation_table.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "runtime/base/status_macros.h"
#include "services/common/error.h"
#include "services/router/policy/pick_rank.h"

namespace shoal {

GenerationTable::GenerationTable(int max_generations, Backend& backend, const Clock& clock,
                                 RouterMetrics& metrics)
    : max_generations_(max_generations), backend_(backend), clock_(clock), metrics_(metrics) {}

absl::Status GenerationTable::Admit(const Shared& generation) {
  MutexLock lock(&mu_);
  if (draining_) {
    return RetryLater(absl::StatusCode::kUnavailable, "DRAINING", absl::Seconds(1),
                      "this router is draining");
  }
  if (static_cast<int>(by_id_.size()) >= max_generations_) {
    return RetryLater(
        absl::StatusCode::kResourceExhausted, "TOO_MANY_GENERATIONS", absl::Seconds(1),
        absl::StrCat(by_id_.size(), " generations are open, the limit is ", max_generations_));
  }
  if (!by_request_.emplace(generation->request_id(), generation).second) {
    return WithReason(absl::AlreadyExistsError("request_id: a generation with this id is open"),
                      "REQUEST_ID_IN_USE");
  }
  by_id_.emplace(generation->id(), generation);
  metrics_.waiting.Increment();
  return absl::OkStatus();
}

void GenerationTable::AddOwnCounts(std::vector<RankLoad>* ranks) const {
  std::vector<int32_t> own(ranks->size(), 0);
  MutexLock lock(&mu_);
  for (const auto& [id, generation] : by_id_) {
    const int32_t rank = generation->rank();
    for (size_t i = 0; i < ranks->size(); ++i) own[i] += (*ranks)[i].rank == rank;
  }
  // A beat may be older than what this router has sent since: the larger count is nearer the truth.
  for (size_t i = 0; i < ranks->size(); ++i) {
    RankLoad& load = (*ranks)[i];
    load.running = std::max(load.running, own[i] - load.waiting);
  }
}

absl::Status GenerationTable::Place(const Shared& generation, int64_t kv_blocks) {
  GroupSnapshot group = backend_.Snapshot();
  if (!group.serving) {
    return RetryLater(absl::StatusCode::kUnavailable, "NO_GROUP", absl::Seconds(1),
                      absl::StrCat("the group is not serving: ", group.waiting_for));
  }
  AddOwnCounts(&group.ranks);
  for (size_t tries = group.ranks.size();; --tries) {
    ASSIGN_OR_RETURN(const int32_t rank, PickRank({.kv_blocks = kv_blocks}, group.ranks));
    const absl::Status sent = backend_.Submit(rank, generation->NextSubmit(rank));
    // It may have ended, or been cancelled, while no rank had it yet.
    if (sent.ok() && generation->unwanted()) TellRankToCancel(*generation);
    if (sent.ok() || tries <= 1) return sent;
    for (RankLoad& load : group.ranks) load.accepting &= load.rank != rank;
  }
}

absl::Status GenerationTable::Start(Shared generation, int64_t kv_blocks) {
  RETURN_IF_ERROR(Admit(generation));
  const absl::Status placed = Place(generation, kv_blocks);
  if (placed.ok()) {
    metrics_.queue_seconds.Observe(absl::ToDoubleSeconds(clock_.Now() - generation->arrival()));
    return placed;
  }
  // A drain or a lost rank may have ended it meanwhile: then its outbox has heard.
  const bool unheard = generation->Discard();
  Forget(*generation);
  return unheard ? placed : absl::OkStatus();
}

GenerationTable::Shared GenerationTable::Find(absl::string_view generation_id) const {
  MutexLock lock(&mu_);
  const auto found = by_id_.find(generation_id);
  return found == by_id_.end() ? nullptr : found->second;
}

// REQUIRES: it has ended, so that no first token moves it from waiting to running any more.
void GenerationTable::Forget(const Generation& generation) {
  MutexLock lock(&mu_);
  // Copies: the entries own the strings that name them.
  const std::string id = generation.id(), request = generation.request_id();
  if (by_id_.erase(id) == 0) return;
  by_request_.erase(request);
  (generation.has_first_token() ? metrics_.running : metrics_.waiting).Decrement();
  if (by_id_.empty()) empty_.SignalAll();
}

void GenerationTable::TellRankToCancel(Generation& generation) {
  generation.RequestCancel();
  if (generation.rank() < 0) return;  // Place() will see it
  backend_.Cancel(generation.rank(), generation.id(), generation.attempt());
}

bool GenerationTable::CancelRequest(absl::string_view request_id) {
  Shared generation;
  {
    MutexLock lock(&mu_);
    const auto found = by_request_.find(request_id);
    if (found == by_request_.end()) return false;
    generation = found->second;
  }
  TellRankToCancel(*generation);
  return true;
}

bool GenerationTable::CancelGeneration(absl::string_view generation_id) {
  const Shared generation = Find(generation_id);
  if (generation == nullptr) return false;
  TellRankToCancel(*generation);
  return true;
}

void GenerationTable::Abandon(absl::string_view generation_id) {
  const Shared generation = Find(generation_id);
  if (generation == nullptr) return;
  generation->Fail(absl::CancelledError("the client has gone"));
  Forget(*generation);
  TellRankToCancel(*generation);
}

void GenerationTable::OnTokens(int32_t rank, const v1::Tokens& tokens) {
  for (const v1::GenerationTokens& word : tokens.generations()) {
    const Shared generation = Find(word.generation());
    if (generation == nullptr || generation->rank() != rank) continue;
    if (!generation->OnTokens(word)) continue;
    Forget(*generation);
    // It may have ended here only (a slow reader): then its rank has to hear.
    if (word.end() == v1::GenerationTokens::NOT_ENDED) TellRankToCancel(*generation);
  }
}

void GenerationTable::OnRankLost(int32_t rank, const absl::Status& why) {
  std::vector<Shared> lost;
  {
    MutexLock lock(&mu_);
    for (const auto& [id, generation] : by_id_) lost.push_back(generation);
  }
  for (const Shared& generation : lost) {
    if (generation->rank() != rank) continue;
    generation->Fail(
        RetryLater(absl::StatusCode::kUnavailable, "RANK_LOST", absl::Seconds(1), why.message()));
    Forget(*generation);
  }
}

void GenerationTable::Drain(absl::Time deadline) {
  std::vector<Shared> rest;
  {
    MutexLock lock(&mu_);
    draining_ = true;
    while (!by_id_.empty()) {
      if (clock_.WaitUntil(&empty_, &mu_, deadline)) break;
    }
    for (const auto& [id, generation] : by_id_) rest.push_back(generation);
  }
  for (const Shared& generation : rest) {
    generation->Fail(RetryLater(absl::StatusCode::kUnavailable, "DRAINING", absl::Seconds(1),
                                "this router has stopped before the generation ended"));
    Forget(*generation);
    TellRankToCancel(*generation);
  }
}

int GenerationTable::open() const {
  MutexLock lock(&mu_);
  return static_cast<int>(by_id_.size());
}

}  // namespace shoal
