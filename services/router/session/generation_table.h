// All open generations of this router.

#ifndef SHOAL_SERVICES_ROUTER_SESSION_GENERATION_TABLE_H_
#define SHOAL_SERVICES_ROUTER_SESSION_GENERATION_TABLE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "runtime/base/clock.h"
#include "runtime/base/mutex.h"
#include "runtime/metrics/router_metrics.h"
#include "services/router/backend.h"
#include "services/router/session/generation.h"

namespace shoal {

// Admits generations, places them on ranks, hands them their tokens and forgets them when they end.
//
// Thread-safe. Locks are taken in the order table, generation; the backend is called under neither.
class GenerationTable : public BackendListener {
 public:
  // `backend` and `metrics` outlive the table; the backend's listener is this table.
  GenerationTable(int max_generations, Backend& backend, const Clock& clock,
                  RouterMetrics& metrics);

  // From now on the generation's outbox hears every word of it, its end included. An error means
  // that nothing was or will be pushed: RESOURCE_EXHAUSTED (too many open, queues full),
  // UNAVAILABLE (draining, no group), ALREADY_EXISTS (request_id is open), INVALID_ARGUMENT (fits
  // no rank).
  absl::Status Start(std::shared_ptr<Generation> generation, int64_t kv_blocks);

  // Asks the generation's rank to end it, now or as soon as one has it; it finishes with CANCELLED.
  // False when no such generation is open.
  bool CancelRequest(absl::string_view request_id);
  bool CancelGeneration(absl::string_view generation_id);

  // The client has gone: ends it with CANCELLED and tells its rank.
  void Abandon(absl::string_view generation_id);

  // No new ones from now on; returns when none is open, or at `deadline` after ending the rest with
  // UNAVAILABLE.
  void Drain(absl::Time deadline);

  int open() const;

  void OnTokens(int32_t rank, const v1::Tokens& tokens) override;
  void OnRankLost(int32_t rank, const absl::Status& why) override;

 private:
  using Shared = std::shared_ptr<Generation>;

  absl::Status Admit(const Shared& generation);
  absl::Status Place(const Shared& generation, int64_t kv_blocks);
  void AddOwnCounts(std::vector<RankLoad>* ranks) const;
  Shared Find(absl::string_view generation_id) const;
  void Forget(const Generation& generation);
  void TellRankToCancel(Generation& generation);

  const int max_generations_;
  Backend& backend_;
  const Clock& clock_;
  RouterMetrics& metrics_;

  mutable Mutex mu_;
  CondVar empty_;
  bool draining_ ABSL_GUARDED_BY(mu_) = false;
  absl::flat_hash_map<std::string, Shared> by_id_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<std::string, Shared> by_request_ ABSL_GUARDED_BY(mu_);
};

}  // namespace shoal

#endif  // SHOAL_SERVICES_ROUTER_SESSION_GENERATION_TABLE_H_
