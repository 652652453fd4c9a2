#ifndef SHOAL_RUNTIME_COMM_LOOPBACK_LOOPBACK_H_
#define SHOAL_RUNTIME_COMM_LOOPBACK_LOOPBACK_H_

#include <memory>
#include <vector>

#include "runtime/comm/agreement.h"
#include "runtime/comm/communicator.h"

namespace shoal {

struct LoopbackRank {
  std::unique_ptr<Communicator> comm;
  std::unique_ptr<Agreement> agreement;
};

// `size` ranks of one process, one thread each.  result[r] is rank r's; they may die in any order.
std::vector<LoopbackRank> LoopbackGroup(int size);

}  // namespace shoal

#endif  // SHOAL_RUNTIME_COMM_LOOPBACK_LOOPBACK_H_
