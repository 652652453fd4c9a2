#ifndef SHOAL_RUNTIME_COMM_LOST_RANK_H_
#define SHOAL_RUNTIME_COMM_LOST_RANK_H_

#include <optional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace shoal {

// The error of every transport when a peer is gone: UNAVAILABLE, "rank 3: <why>", with the rank as
// a payload for whoever must report it (the control plane's Suspect).
absl::Status LostRankError(int rank, absl::string_view why);

// The same for a peer that broke the protocol: DATA_LOSS, "rank 3: <why>".
absl::Status LyingRankError(int rank, absl::string_view why);

// The rank that `status` blames, if it blames one.
std::optional<int> BlamedRank(const absl::Status& status);

}  // namespace shoal

#endif  // SHOAL_RUNTIME_COMM_LOST_RANK_H_
