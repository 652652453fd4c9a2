#ifndef SHOAL_RUNTIME_COMM_TCP_MESH_FIXTURE_H_
#define SHOAL_RUNTIME_COMM_TCP_MESH_FIXTURE_H_

#include <memory>
#include <string>
#include <vector>

#include "runtime/comm/contract.h"
#include "runtime/comm/tcp/mesh.h"

namespace shoal {

// Listeners of a group on this machine, for tests.
struct MeshFixture {
  explicit MeshFixture(int size);

  // What rank `rank` is given at Prepare; the same cluster, epoch, layout and key for all.
  MeshSpec Spec(int rank) const;

  std::vector<std::unique_ptr<MeshListener>> listeners;
};

// A connected group; its listeners are gone.
std::vector<ContractRank> MakeMesh(int size);

}  // namespace shoal

#endif  // SHOAL_RUNTIME_COMM_TCP_MESH_FIXTURE_H_
