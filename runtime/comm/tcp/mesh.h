#ifndef SHOAL_RUNTIME_COMM_TCP_MESH_H_
#define SHOAL_RUNTIME_COMM_TCP_MESH_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "runtime/comm/agreement.h"
#include "runtime/comm/communicator.h"

namespace shoal {

// What every member of one epoch's group must hold alike, from Prepare (reference: the membership
// protocol).
struct MeshSpec {
  std::string cluster;
  uint64_t epoch_number = 0, epoch_incarnation = 0;
  std::string layout;     // digest of members, placement, config, weights, numerics id
  std::string group_key;  // 32 bytes; authenticates Hello (HMAC-SHA256 over both nonces)
  int rank = 0;
  std::vector<std::string> addresses;  // "host:port" of each rank's MeshListener, by rank
  absl::Duration step_deadline =
      absl::Seconds(10);  // a peer silent for longer in a collective is lost
};

// The two host-side faces of one connected group.  `comm` and `agreement` share one socket per pair
// of ranks and fail together; destroying both closes the sockets.  There is no I/O thread: the
// engine thread moves the bytes while it waits in a call, the kernel's buffers do in between.
//
// A peer that has done its part in a collective may leave before the others are done with it; the
// next one fails.
struct MeshGroup {
  std::unique_ptr<Communicator> comm;
  std::unique_ptr<Agreement> agreement;
};

// A worker process's mesh socket: bound once, used by every epoch's group in turn.  A connection
// speaks Hello {cluster, epoch, layout, from, to, HMAC} both ways before any frame; every frame is
// {epoch tag, kind, collective number, length, CRC32C}.  A frame of another epoch, out of order,
// too long or with a bad checksum breaks the group.
class MeshListener {
 public:
  // "127.0.0.1:0" picks a port.  UNAVAILABLE names the address when it is in use.
  static absl::StatusOr<std::unique_ptr<MeshListener>> Bind(const std::string& address);
  virtual ~MeshListener() = default;
  virtual std::string address() const = 0;  // with the port that was bound

  // Connects to every peer (lower rank dials higher rank's listener or the reverse: one socket per
  // pair), checks Hello, runs a checksum self-test exchange, and returns the group.  Retries until
  // `deadline`, because peers prepare at their own time.  Cancel() (any thread) makes it return
  // CANCELLED. One call at a time.  Errors name the peer's rank and the two values that disagree.
  virtual absl::StatusOr<MeshGroup> Connect(const MeshSpec& spec, absl::Time deadline) = 0;
  // Without effect when no Connect() runs.
  virtual void Cancel() = 0;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_COMM_TCP_MESH_H_
