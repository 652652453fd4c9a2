// The cluster that every simulation plays: what its routers expect and what its workers say.

#ifndef SHOAL_TESTS_SIM_SIM_IDENTITY_H_
#define SHOAL_TESTS_SIM_SIM_IDENTITY_H_

#include <cstdint>

#include "services/router/cluster/membership.h"

namespace shoal {

// Times are the defaults.
MembershipOptions SimMembershipOptions(uint64_t incarnation, int group_size);

// The first word of worker "w<w>", which takes any rank.
v1::Join SimJoin(int w, uint64_t incarnation);

}  // namespace shoal

#endif  // SHOAL_TESTS_SIM_SIM_IDENTITY_H_
