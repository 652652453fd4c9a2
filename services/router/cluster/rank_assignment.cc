#include "services/router/cluster/rank_assignment.h"

#include <algorithm>
#include <numeric>

namespace shoal {

std::vector<int> AssignRanks(absl::Span<const RankWish> wishes, int ranks) {
  std::vector<int> by_name(wishes.size());
  std::iota(by_name.begin(), by_name.end(), 0);
  std::sort(by_name.begin(), by_name.end(),
            [&](int a, int b) { return wishes[a].name < wishes[b].name; });

  std::vector<int> rank_of(wishes.size(), -1);
  std::vector<bool> taken(ranks, false);
  const auto take = [&](int who, int rank) {
    if (rank < 0 || rank >= ranks || taken[rank] || rank_of[who] >= 0) return;
    taken[rank] = true;
    rank_of[who] = rank;
  };
  for (int who : by_name) take(who, wishes[who].pinned);
  for (int who : by_name) {
    if (wishes[who].pinned < 0) take(who, wishes[who].preferred);
  }
  int next = 0;
  for (int who : by_name) {
    if (wishes[who].pinned >= 0 || rank_of[who] >= 0) continue;
    while (next < ranks && taken[next]) ++next;
    take(who, next);
  }
  return rank_of;
}

}  // namespace shoal
