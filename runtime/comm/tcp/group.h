#ifndef SHOAL_RUNTIME_COMM_TCP_GROUP_H_
#define SHOAL_RUNTIME_COMM_TCP_GROUP_H_

#include <poll.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"

#include "runtime/base/mutex.h"
#include "runtime/comm/agreement.h"
#include "runtime/comm/communicator.h"
#include "runtime/comm/tcp/frame.h"
#include "runtime/comm/tcp/link.h"
#include "runtime/tensor/arena.h"

namespace shoal::internal {

struct GroupOptions {
  int rank = 0;
  Epoch epoch;
  absl::Duration step_deadline = absl::Seconds(10);
  uint64_t max_message_bytes = uint64_t{1} << 30;
  // The saboteur of the epoch law's test: takes frames of other epochs.  Never set outside tests.
  bool accept_stale_epoch = false;
};

// What both faces of a mesh group do, over one link per peer.
//
// There is no I/O thread: whoever waits in a collective moves the bytes of all links meanwhile, and
// between collectives the kernel's socket buffers do.  A hand-over between threads would cost more
// than a whole agreement.
//
// Everything but Abort(), Wake() and status() belongs to the engine thread.
class Group final : private FrameSink {
 public:
  static constexpr int kChannels = 2;

  // links[r] is to rank r; links[rank] is null.
  Group(const GroupOptions& options, std::vector<std::unique_ptr<Link>> links);
  ~Group() override;

  int rank() const { return options_.rank; }
  int size() const { return static_cast<int>(links_.size()); }
  // Ends the time of the self-test: what it moved is not traffic, and its deadline was another.
  void StartService(absl::Duration step_deadline);

  void BeginAllToAll(int channel, absl::Span<const ConstBytes> to_peer);
  void EndAllToAll(int channel, Arena& arena, std::vector<Bytes>* from_peer);
  Communicator::Traffic traffic() const { return traffic_; }

  absl::StatusOr<std::vector<Vote>> Exchange(const Vote& mine);
  absl::Status Sleep();
  void Wake();

  void Abort(const absl::Status& why);
  absl::Status status() const;

 private:
  // One peer's message of a channel's open exchange.
  struct Inbox {
    enum class State : uint8_t { kEmpty, kArriving, kThere };
    State state = State::kEmpty;
    uint64_t number = 0;  // of the collective that the sender means
    Bytes bytes;
    // Set while the message came before EndAllToAll() gave an arena.
    std::unique_ptr<std::byte[]> early;
  };
  struct Channel {
    bool open = false;
    uint64_t number = 0;                // of the collective that is open
    ConstBytes own;                     // to this rank itself
    Arena* arena = nullptr;             // inside EndAllToAll()
    std::vector<Inbox> inbox;           // [size]
    std::vector<uint64_t> sent_ticket;  // [size]
  };
  struct Peer {
    uint64_t next_collective = 0, next_round = 0;  // that its frames must carry
    std::optional<Vote> vote;                      // for the round that comes next here
    Vote arriving;
    uint32_t farewell = 0;
    uint64_t vote_ticket = 0;
    uint64_t bytes_moved = 0;  // at moved_at, when it was last seen to have grown
    absl::Time moved_at = absl::InfinitePast();
  };
  // What the engine thread waits for.
  enum class Goal : uint8_t { kNothing, kVotes, kAnyVote, kMessages, kLastWords };

  // FrameSink:
  bool Wants(int peer) const override;
  absl::StatusOr<std::byte*> OnHeader(int peer, const FrameHeader& header) override;
  absl::Status OnFrame(int peer, const FrameHeader& header) override;

  absl::StatusOr<std::byte*> PlaceMessage(int peer, const FrameHeader& header);
  // Whether everyone's message on `channel` is of the collective that is open there: ranks that
  // begin exchanges on the two channels in different orders must not take one for the other.
  absl::Status CheckNumbers(int channel);
  FrameHeader Header(FrameKind kind, int channel, uint64_t number) const;

  // The peer after `peer` in this rank's order, which begins with the next higher rank, so that not
  // all ranks turn to the same one at once.
  int Nth(int i) const { return (rank() + i) % size(); }
  // Whether `peer` still owes what the goal needs, or has not taken what it must.
  bool Owes(int peer) const { return Wants(peer) || !Taken(peer); }
  bool Taken(int peer) const;
  // Moves bytes until the goal is reached.  Errors are the group's.
  absl::Status Await(Goal goal, int channel);
  // One round over the links without blocking; true when nobody owes.  A failed link fails the
  // group.
  absl::StatusOr<bool> Progress();
  absl::Status WaitForSockets(absl::Time since);
  // Since when nothing is known to have moved between this rank and `peer`; not before `since`.
  absl::Time SilentSince(int peer, absl::Time since, absl::Time now);
  absl::Status CheckSilence(absl::Time since, absl::Time now);

  // Peers that left after giving all the goal needs from them do not fail it: the ranks of a group
  // that ends in good order leave one after the other.  If it is not reached soon after, the first
  // of them does.
  absl::Status NoteLeft(int peer, absl::Time now);
  absl::Status CheckGrace(absl::Time now);

  // Ends the group because of `peer`, or of whom `why` blames; returns its status.
  absl::Status FailOver(int peer, const absl::Status& why);
  void Farewell(int blamed);

  GroupOptions options_;
  std::vector<std::unique_ptr<Link>> links_;
  Event abort_event_, wake_event_;

  // Owned by the engine thread.
  std::vector<Peer> peers_;
  std::array<Channel, kChannels> channels_;
  uint64_t next_collective_ = 0, next_round_ = 0;
  Goal goal_ = Goal::kNothing;
  int goal_channel_ = 0;
  std::vector<bool> left_;  // [size] that closed their socket while the engine waits for others
  int first_left_ = -1;
  absl::Time left_at_;
  std::vector<pollfd> polled_;
  Communicator::Traffic traffic_;

  std::atomic<bool> failed_ = false;
  mutable Mutex mu_;
  absl::Status status_ ABSL_GUARDED_BY(mu_);
};

}  // namespace shoal::internal

#endif  // SHOAL_RUNTIME_COMM_TCP_GROUP_H_
