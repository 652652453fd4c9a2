// Which rank a new generation goes to: a pure function of a snapshot.

#ifndef SHOAL_SERVICES_ROUTER_POLICY_PICK_RANK_H_
#define SHOAL_SERVICES_ROUTER_POLICY_PICK_RANK_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "services/router/backend.h"

namespace shoal {

// What the generation asks of a rank.
struct RouteKey {
  int64_t kv_blocks = 0;  // prompt and output at most
};

// The accepting rank with the fewest generations (running and waiting), then with the most free KV
// blocks, then the lowest rank. A rank whose queue is full is passed over. RESOURCE_EXHAUSTED when
// every accepting rank's queue is full; UNAVAILABLE when none accepts; INVALID_ARGUMENT when the
// generation can never fit any accepting rank's pool, with both numbers.
absl::StatusOr<int32_t> PickRank(const RouteKey& key, absl::Span<const RankLoad> ranks);

}  // namespace shoal

#endif  // SHOAL_SERVICES_ROUTER_POLICY_PICK_RANK_H_
