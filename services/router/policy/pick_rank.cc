#include "services/router/policy/pick_rank.h"

#include <algorithm>
#include <tuple>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

#include "services/common/error.h"

namespace shoal {
namespace {

// Smaller is better.
auto Order(const RankLoad& r) {
  return std::make_tuple(r.running + r.waiting, -r.kv_blocks_free, r.rank);
}

}  // namespace

absl::StatusOr<int32_t> PickRank(const RouteKey& key, absl::Span<const RankLoad> ranks) {
  const RankLoad* best = nullptr;
  int64_t largest_pool = -1;
  bool fits_somewhere = false;
  for (const RankLoad& rank : ranks) {
    if (!rank.accepting) continue;
    largest_pool = std::max(largest_pool, rank.kv_blocks_total);
    if (key.kv_blocks > rank.kv_blocks_total) continue;
    fits_somewhere = true;
    if (rank.waiting >= rank.max_waiting) continue;
    if (best == nullptr || Order(rank) < Order(*best)) best = &rank;
  }
  if (best != nullptr) return best->rank;
  if (largest_pool < 0) {
    return RetryLater(absl::StatusCode::kUnavailable, "NO_RANK_ACCEPTS", absl::Seconds(1),
                      "no rank accepts generations now");
  }
  if (!fits_somewhere) {
    return InvalidField("stop.max_output_tokens",
                        absl::StrCat("prompt and output need ", key.kv_blocks,
                                     " KV blocks, the largest rank has ", largest_pool));
  }
  return RetryLater(absl::StatusCode::kResourceExhausted, "QUEUE_FULL", absl::Seconds(1),
                    "every rank's queue is full");
}

}  // namespace shoal
