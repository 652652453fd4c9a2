#ifndef SHOAL_RUNTIME_COMM_AGREEMENT_H_
#define SHOAL_RUNTIME_COMM_AGREEMENT_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace shoal {

// What one rank says before a pass.  Fixed size on the wire, little endian.
struct Vote {
  uint32_t rows = 0;     // it will bring; 0 is the empty batch, and the group sleeps when all say 0
  uint32_t pending = 0;  // live sequences; nothing is decided by it yet
  uint32_t placement_version = 0;  // the group breaks where they differ
  uint32_t draining = 0;           // 1: takes nothing new; nothing is decided by it yet
  friend bool operator==(const Vote&, const Vote&) = default;
};

// The host-side agreement of a group: one tiny all-gather per engine step, never over NCCL.  Rounds
// are numbered from 0; a peer's vote for the next round is what wakes a sleeping rank, so
// idle-to-busy needs no other message and has no race: a vote is never lost, only early.
//
// Exchange() and Sleep() belong to the engine thread; the rest may be called from any thread.
// Errors are sticky.
class Agreement {
 public:
  virtual ~Agreement() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;

  // Sends `mine` for the next round and waits for everyone's; result[r] is rank r's.
  // UNAVAILABLE names the rank that was lost or stayed silent past the group's step deadline.
  virtual absl::StatusOr<std::vector<Vote>> Exchange(const Vote& mine) = 0;

  // Blocks, burning nothing, until a peer has voted for the next round, Wake() was called since the
  // last Sleep() returned, or the group failed (its status is returned).
  virtual absl::Status Sleep() = 0;
  virtual void Wake() = 0;

  virtual void Abort(absl::Status why) = 0;
  virtual absl::Status status() const = 0;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_COMM_AGREEMENT_H_
