// A group of ranks that a test plays.

#ifndef SHOAL_SERVICES_ROUTER_FAKE_BACKEND_H_
#define SHOAL_SERVICES_ROUTER_FAKE_BACKEND_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"

#include "runtime/base/mutex.h"
#include "services/router/backend.h"

namespace shoal {

// Records what it is given; the test speaks for the ranks through the listener. Thread-safe.
class FakeBackend : public Backend {
 public:
  explicit FakeBackend(int ranks) {
    group_.serving = true;
    for (int r = 0; r < ranks; ++r) {
      group_.ranks.push_back({.rank = r,
                              .accepting = true,
                              .max_waiting = 8,
                              .kv_blocks_free = 64,
                              .kv_blocks_total = 64});
    }
  }

  struct Submitted {
    int32_t rank;
    v1::Submit submit;
  };
  struct Cancelled {
    int32_t rank;
    std::string generation;
    uint32_t attempt;
  };

  GroupSnapshot Snapshot() const override {
    MutexLock lock(&mu_);
    return group_;
  }
  absl::Status Submit(int32_t rank, const v1::Submit& submit) override {
    MutexLock lock(&mu_);
    if (rank == broken_rank_) return absl::UnavailableError("its stream is down");
    submitted_.push_back({rank, submit});
    changed_.SignalAll();
    return absl::OkStatus();
  }
  void Cancel(int32_t rank, absl::string_view generation, uint32_t attempt) override {
    MutexLock lock(&mu_);
    cancelled_.push_back({rank, std::string(generation), attempt});
    changed_.SignalAll();
  }

  void SetGroup(GroupSnapshot group) {
    MutexLock lock(&mu_);
    group_ = std::move(group);
  }
  void BreakRank(int32_t rank) {
    MutexLock lock(&mu_);
    broken_rank_ = rank;
  }

  // Wait until there are more than `index` of them.
  Submitted WaitForSubmit(size_t index) {
    MutexLock lock(&mu_);
    while (submitted_.size() <= index) changed_.Wait(&mu_);
    return submitted_[index];
  }
  Cancelled WaitForCancel(size_t index) {
    MutexLock lock(&mu_);
    while (cancelled_.size() <= index) changed_.Wait(&mu_);
    return cancelled_[index];
  }

 private:
  mutable Mutex mu_;
  CondVar changed_;
  GroupSnapshot group_ ABSL_GUARDED_BY(mu_);
  int32_t broken_rank_ ABSL_GUARDED_BY(mu_) = -1;
  std::vector<Submitted> submitted_ ABSL_GUARDED_BY(mu_);
  std::vector<Cancelled> cancelled_ ABSL_GUARDED_BY(mu_);
};

// What a rank says of one generation after `submit`: its next tokens, from `position` on.
inline v1::Tokens TokensFor(const v1::Submit& submit, int64_t already_emitted,
                            const std::vector<int32_t>& ids,
                            v1::GenerationTokens::End end = v1::GenerationTokens::NOT_ENDED) {
  v1::Tokens tokens;
  v1::GenerationTokens* word = tokens.add_generations();
  word->set_generation(submit.generation());
  word->set_attempt(submit.attempt());
  word->set_position(submit.prompt_size() + already_emitted);
  word->mutable_ids()->Assign(ids.begin(), ids.end());
  word->set_end(end);
  return tokens;
}

}  // namespace shoal

#endif  // SHOAL_SERVICES_ROUTER_FAKE_BACKEND_H_
