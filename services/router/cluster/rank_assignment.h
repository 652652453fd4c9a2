// Which worker takes which rank: a pure function of who is there.

#ifndef SHOAL_SERVICES_ROUTER_CLUSTER_RANK_ASSIGNMENT_H_
#define SHOAL_SERVICES_ROUTER_CLUSTER_RANK_ASSIGNMENT_H_

#include <string>
#include <vector>

#include "absl/types/span.h"

namespace shoal {

struct RankWish {
  std::string name;    // unique
  int pinned = -1;     // the operator's choice: this rank or none
  int preferred = -1;  // the share it holds already
};

// result[i] is the rank of wishes[i], -1 for a spare. Pinned ranks first, then preferences, then
// the free ranks in ascending order to the rest in the order of their names; so the result does
// not depend on who came first. A worker that is pinned to a taken rank stays a spare.
std::vector<int> AssignRanks(absl::Span<const RankWish> wishes, int ranks);

}  // namespace shoal

#endif  // SHOAL_SERVICES_ROUTER_CLUSTER_RANK_ASSIGNMENT_H_
