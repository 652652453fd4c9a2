#ifndef SHOAL_RUNTIME_COMM_TCP_FACES_H_
#define SHOAL_RUNTIME_COMM_TCP_FACES_H_

#include <memory>

#include "runtime/comm/tcp/group.h"
#include "runtime/comm/tcp/mesh.h"

namespace shoal::internal {

// The Communicator and the Agreement of `group`, which lives as long as either.
MeshGroup FacesOf(std::shared_ptr<Group> group);

}  // namespace shoal::internal

#endif  // SHOAL_RUNTIME_COMM_TCP_FACES_H_
