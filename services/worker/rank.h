// What a rank does for its member: load, connect, serve, leave.

#ifndef SHOAL_SERVICES_WORKER_RANK_H_
#define SHOAL_SERVICES_WORKER_RANK_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "shoal/v1/cluster.pb.h"

#include "services/worker/member.h"

namespace shoal {

// Hears from a rank, from its thread; must not block.
class RankListener {
 public:
  virtual ~RankListener() = default;
  virtual void OnBuilt(const v1::Epoch& epoch, const absl::Status& status) = 0;
  virtual void OnAttached(const v1::Epoch& epoch) = 0;
  virtual void OnLoadProgress(int64_t bytes_done, int64_t bytes_total) = 0;
  virtual void OnShareLoaded(const Member::Share& share) = 0;
  virtual void OnLoadFailed(const absl::Status& why) = 0;
};

// Carries out a Member's actions one after the other, in the order of the calls, without making the
// caller wait. Any thread may call; one does.
class Rank {
 public:
  virtual ~Rank() = default;

  // Device quiet (rule W2), the share of prepare.rank() in memory, the mesh connected and tested;
  // then OnBuilt, or OnLoadFailed when the share cannot be loaded.
  virtual void Build(const v1::Prepare& prepare) = 0;
  // A Build that is under way ends soon, what was built is dropped.
  virtual void StopBuild() = 0;
  // Passes run in what was built; then OnAttached.
  virtual void Attach(const v1::Epoch& epoch) = 0;
  // Returns before it has happened; later calls come after it.
  virtual void Leave(const absl::Status& why) = 0;

  virtual EngineReport report() const = 0;
  // Not OK: the group that runs broke, and why.
  virtual absl::Status group_status() const = 0;

  // Blocks: no new generations; returns when all have ended or at the deadline (then the rest end
  // with UNAVAILABLE). Passes go on, the other ranks may need them.
  virtual void Drain(absl::Time deadline) = 0;
};

}  // namespace shoal

#endif  // SHOAL_SERVICES_WORKER_RANK_H_
