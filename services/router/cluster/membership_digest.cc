// Membership as a model checker sees it.

#include <algorithm>

#include "absl/strings/str_cat.h"

#include "services/router/cluster/membership.h"
#include "services/router/cluster/protocol.h"

namespace shoal {

namespace {

// Older than `enough` is as good as any age.
int64_t Age(absl::Time since, absl::Time now, absl::Duration enough) {
  return absl::ToInt64Microseconds(std::clamp(now - since, absl::ZeroDuration(), enough));
}

}  // namespace

// Words for people (last_failure_), numbers for operators (load, progress in percent) and what a
// Join said that is not looked at again decide nothing and are left out.
std::string Membership::Digest(absl::Time now) const {
  const absl::Duration tick = absl::Microseconds(1);
  const bool forming = phase_ == Phase::kPreparing || phase_ == Phase::kCommitted;
  // Idle beats count from when a worker says that it leaves.
  const bool leaves = std::any_of(candidates_.begin(), candidates_.end(),
                                  [](const auto& e) { return e.second.leaving; });
  std::string text =
      absl::StrCat(options_.incarnation, " ", static_cast<int>(phase_), " ", EpochText(epoch_), " ",
                   layout_, " ", highest_number_, " ", expected_.weight_digest, " ",
                   expected_.numerics_id, " ", loaded_weights_, " ", std::min(failures_, 16), " ",
                   absl::ToInt64Microseconds(std::max(retry_at_ - now, absl::ZeroDuration())), " ",
                   forming ? Age(progress_, now, options_.prepare_timeout + tick) : 0);
  for (const auto& [name, rank] : last_rank_) absl::StrAppend(&text, "\n", name, " ", rank);
  for (const auto& [id, c] : candidates_) {
    absl::StrAppend(&text, "\n", id, " ", c.join.worker().name(), " ",
                    c.join.worker().incarnation(), " ", c.join.mesh_address(), " ",
                    c.join.desired_rank(), " ", c.rank, " ", c.state, " ");
    absl::StrAppend(&text, EpochText(c.runs), " ", c.passes, " ", c.bytes_done, " ", c.prepared,
                    " ", c.leaving, " ", leaves ? std::min(c.idle_beats, 16) : 0, " ",
                    Age(c.heard, now, options_.lease + tick), " ",
                    Age(c.moved, now, options_.step_deadline + options_.lease + tick));
  }
  return text;
}

}  // namespace shoal
