#ifndef SHOAL_RUNTIME_COMM_COMMUNICATOR_H_
#define SHOAL_RUNTIME_COMM_COMMUNICATOR_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"

#include "runtime/tensor/arena.h"

namespace shoal {

using Bytes = absl::Span<std::byte>;
using ConstBytes = absl::Span<const std::byte>;

// The transport boundary: one group of ranks in one epoch, moving activations.  Every call but
// Abort() and status() is collective and is made by the engine thread of each rank, in the same
// order on all.
//
// Errors are sticky: after the first one every call returns at once, receives come back as empty
// spans, and status() holds the cause, with the peer's rank in it.  A communicator never heals;
// survivors build a new one.
class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;

  // Starts sending to_peer[r] to every rank r (own rank included: a local hand-over; empty messages
  // are ordinary). The memory must stay untouched until EndAllToAll().  At most one exchange is
  // open at a time per `channel` (0 or 1: the two half-batches of a pass), and channels are opened
  // in the same order on every rank. REQUIRES: to_peer.size() == size().
  virtual void BeginAllToAll(int channel, absl::Span<const ConstBytes> to_peer) = 0;

  // Waits for every peer's message; (*from_peer)[r] came from rank r, in memory of `arena`, 64-byte
  // aligned. A message carries its own length: backends whose transport needs it first exchange it
  // themselves.
  virtual void EndAllToAll(int channel, Arena& arena, std::vector<Bytes>* from_peer) = 0;

  // Ends the group for this rank: peers see the loss, a blocked call here returns.  Any thread;
  // idempotent.
  virtual void Abort(absl::Status why) = 0;
  virtual absl::Status status() const = 0;  // any thread

  struct Traffic {
    int64_t bytes_sent = 0, bytes_received = 0;  // to and from other ranks
  };
  virtual Traffic traffic() const = 0;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_COMM_COMMUNICATOR_H_
