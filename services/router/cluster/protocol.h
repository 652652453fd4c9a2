// What router and worker must compute alike: the order of epochs and the digest of a layout.

#ifndef SHOAL_SERVICES_ROUTER_CLUSTER_PROTOCOL_H_
#define SHOAL_SERVICES_ROUTER_CLUSTER_PROTOCOL_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "shoal/v1/cluster.pb.h"

namespace shoal {

// The versions of the control protocol that this build speaks.
inline constexpr uint32_t kProtocolMin = 1;
inline constexpr uint32_t kProtocolMax = 1;

// Epochs are ordered by number, then incarnation: two routers never make the same one. Number 0 is
// "none" and below all.
bool operator==(const v1::Epoch& a, const v1::Epoch& b);
bool operator<(const v1::Epoch& a, const v1::Epoch& b);
inline bool operator!=(const v1::Epoch& a, const v1::Epoch& b) { return !(a == b); }

bool operator==(const v1::WorkerId& a, const v1::WorkerId& b);

// "7/1f3a..." for logs and messages.
std::string EpochText(const v1::Epoch& epoch);

// SHA-256, hex. Equal exactly when every expert has the same slots in the same version.
std::string PlacementDigest(const v1::Placement& placement);

// What the members of a group must hold alike besides who they are. Both sides have it from their
// own files, never from each other.
struct ModelDigests {
  std::string config, weights, numerics;
};

// SHA-256, hex, over the members with their ranks and addresses, the placement, and the digests.
// The router puts it into Prepare, each worker computes it anew from what it holds (invariant M1
// rests on comparing the two).
std::string LayoutDigest(const google::protobuf::RepeatedPtrField<v1::Member>& members,
                         const v1::Placement& placement, const ModelDigests& model);

}  // namespace shoal

#endif  // SHOAL_SERVICES_ROUTER_CLUSTER_PROTOCOL_H_
