// Membership as operators see it.

#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "services/router/cluster/membership.h"
#include "services/router/cluster/protocol.h"

namespace shoal {

namespace {

// Names the ranks that `names` of workers stand for, a few of them.
std::string Some(const std::vector<std::string>& names) {
  constexpr size_t kShown = 8;
  if (names.size() <= kShown) return absl::StrJoin(names, ", ");
  return absl::StrCat(absl::StrJoin(names.begin(), names.begin() + kShown, ", "), " and ",
                      names.size() - kShown, " more");
}

}  // namespace

std::string Membership::WaitingFor() const {
  std::vector<std::string> who;
  switch (phase_) {
    case Phase::kServing:
      return draining() ? "a worker is leaving" : "";
    case Phase::kGathering: {
      std::set<int> missing;
      for (int r = 0; r < options_.expected.group_size; ++r) missing.insert(r);
      for (const auto& [id, c] : candidates_) missing.erase(c.rank);
      if (missing.empty()) {
        return last_failure_.empty() ? "the next attempt to form the group" : last_failure_;
      }
      for (int r : missing) who.push_back(absl::StrCat(r));
      return absl::StrCat("workers for ", missing.size(), " of ", options_.expected.group_size,
                          " ranks: ", Some(who));
    }
    case Phase::kPreparing:
      for (const auto& [id, c] : candidates_) {
        if (c.rank < 0 || !c.prepared.empty()) continue;
        const bool loading = c.state == v1::LOADING && c.bytes_total > 0;
        who.push_back(absl::StrCat(NameOf(c), loading ? " loading " : " preparing"));
        if (loading) absl::StrAppend(&who.back(), 100 * c.bytes_done / c.bytes_total, "%");
      }
      return Some(who);
    case Phase::kCommitted:
      for (const auto& [id, c] : candidates_) {
        if (c.rank >= 0 && (c.state != v1::SERVING || c.runs != epoch_)) {
          who.push_back(absl::StrCat(NameOf(c), " starting"));
        }
      }
      return Some(who);
  }
  return "";
}

v1::ClusterState Membership::State() const {
  v1::ClusterState state;
  *state.mutable_epoch() = epoch_;
  state.set_serving(serving());
  state.set_waiting_for(WaitingFor());
  state.set_group_size(options_.expected.group_size);
  for (const auto& [id, c] : candidates_) {
    v1::RankState& rank = *state.add_ranks();
    rank.set_rank(c.rank);
    *rank.mutable_worker() = c.join.worker();
    rank.set_state(c.leaving ? v1::DRAINING : c.state);
    rank.set_connected(true);
    *rank.mutable_load() = c.load;
    rank.set_load_progress(c.bytes_total > 0 ? static_cast<double>(c.bytes_done) / c.bytes_total
                                             : 0);
  }
  return state;
}

}  // namespace shoal
