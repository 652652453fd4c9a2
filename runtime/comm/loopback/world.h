#ifndef SHOAL_RUNTIME_COMM_LOOPBACK_WORLD_H_
#define SHOAL_RUNTIME_COMM_LOOPBACK_WORLD_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "runtime/base/mutex.h"
#include "runtime/comm/agreement.h"
#include "runtime/comm/communicator.h"

namespace shoal::internal {

// What the threads of a loopback group share.
//
// A rank can be one collective ahead of another and never two: its End of number n + 1 needs the
// other's Begin of n + 1, which follows the other's End of n.  So messages and votes lie in two
// places each, by the parity of their number, and whoever fills a place again knows that its reader
// is done.
class World {
 public:
  static constexpr int kChannels = 2;

  explicit World(int size);

  int size() const { return size_; }

  // Hands rank `from`'s messages of its collective `number` on `channel` to every other rank.
  absl::Status Post(int from, int channel, uint64_t number, absl::Span<const ConstBytes> to_peer);
  // Waits until every other rank has posted, or the group has failed for `rank`.
  absl::Status Await(int rank, int channel, uint64_t number);
  // What `from` posted for `to`.  REQUIRES: `to`'s Await() of it was OK and `to` has not posted
  // `number` + 2.
  ConstBytes Message(int from, int to, int channel, uint64_t number) const;

  absl::StatusOr<std::vector<Vote>> Exchange(int rank, const Vote& vote);
  absl::Status Sleep(int rank);
  void Wake(int rank);

  // Ends the group: for `rank` with `why`, for the others with the loss of `rank`, once they wait
  // for it.
  void Abort(int rank, const absl::Status& why);
  // A rank is gone when both its faces are.
  void DropFace(int rank);
  absl::Status status(int rank) const;

 private:
  struct Box {
    std::unique_ptr<std::byte[]> data;
    size_t size = 0, capacity = 0;
  };
  struct Rank {
    CondVar cv;
    absl::Status status;  // sticky; what this rank has noticed
    absl::Status
        lost;  // a peer's loss, which becomes the status of the first call that needs the peer
    int faces = 2;
    bool wake = false;
    bool sleeping = false;
    uint64_t round = 0;                                      // of its next vote
    std::array<std::array<int, 2>, kChannels> arrived = {};  // messages, by channel and parity
  };
  struct Round {
    std::vector<Vote> votes;
    int count = 0;
    int taken = 0;
  };

  // Waits for `done`, or for the group's end as `rank` sees it.
  template <typename Condition>
  absl::Status WaitFor(Rank& me, Condition done) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  size_t BoxIndex(int from, int to, int channel, uint64_t number) const;
  static void Fill(Box& box, ConstBytes bytes);

  const int size_;
  // Each box is written by its sender before Post() counts it and read by its receiver after
  // Await(): the lock orders the two, it need not be held for the copies.
  std::vector<Box> boxes_;

  mutable Mutex mu_;
  std::vector<Rank> ranks_ ABSL_GUARDED_BY(mu_);
  std::array<Round, 2> rounds_ ABSL_GUARDED_BY(mu_);  // by parity
};

}  // namespace shoal::internal

#endif  // SHOAL_RUNTIME_COMM_LOOPBACK_WORLD_H_
