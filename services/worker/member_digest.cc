// A member as a model checker sees it.

#include <algorithm>

#include "absl/strings/str_cat.h"

#include "services/router/cluster/protocol.h"
#include "services/worker/member.h"

namespace shoal {

// What beats tell (report_) decides nothing and is left out.
std::string Member::Digest(absl::Time now) const {
  const absl::Duration silent = std::clamp(now - router_heard_, absl::ZeroDuration(), lease_);
  std::string text = absl::StrCat(identity_.worker().name(), " ", identity_.worker().incarnation(),
                                  " ", connected_, " ", router_, " ", EpochText(promise_), " ",
                                  EpochText(committed_), " ", prepare_.layout(), " ",
                                  prepare_.rank(), " ", static_cast<int>(building_), " ", live_);
  absl::StrAppend(&text, " ", attached_, " ", leaving_, " ", loading_, " ",
                  absl::ToInt64Microseconds(silent), " ", absl::FormatDuration(lease_), " ",
                  absl::FormatDuration(leave_within_));
  absl::StrAppend(&text, "\n", share_.rank, " ", share_.placement_digest, " ", share_.weights, " ",
                  share_.bytes);
  return text;
}

}  // namespace shoal
