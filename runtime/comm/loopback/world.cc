#include "runtime/comm/loopback/world.h"

#include <cstring>

#include "runtime/base/check.h"
#include "runtime/base/status_macros.h"
#include "runtime/comm/lost_rank.h"

namespace shoal::internal {

World::World(int size)
    : size_(size), boxes_(static_cast<size_t>(size) * size * kChannels * 2), ranks_(size) {
  for (Round& round : rounds_) round.votes.resize(size);
}

template <typename Condition>
absl::Status World::WaitFor(Rank& me, Condition done) {
  while (me.status.ok() && !done()) {
    if (!me.lost.ok()) {
      me.status = me.lost;
    } else {
      me.cv.Wait(&mu_);
    }
  }
  return me.status;
}

size_t World::BoxIndex(int from, int to, int channel, uint64_t number) const {
  const size_t place = static_cast<size_t>(channel) * 2 + number % 2;
  return (place * size_ + from) * size_ + to;
}

void World::Fill(Box& box, ConstBytes bytes) {
  if (bytes.size() > box.capacity) {
    box.data = std::make_unique_for_overwrite<std::byte[]>(bytes.size());
    box.capacity = bytes.size();
  }
  box.size = bytes.size();
  if (!bytes.empty()) std::memcpy(box.data.get(), bytes.data(), bytes.size());
}

absl::Status World::Post(int from, int channel, uint64_t number,
                         absl::Span<const ConstBytes> to_peer) {
  if (absl::Status ok = status(from); !ok.ok()) return ok;
  for (int to = 0; to < size_; ++to) {
    if (to != from) Fill(boxes_[BoxIndex(from, to, channel, number)], to_peer[to]);
  }
  MutexLock lock(&mu_);
  for (int to = 0; to < size_; ++to) {
    if (to == from) continue;
    int& arrived = ranks_[to].arrived[channel][number % 2];
    if (++arrived == size_ - 1) ranks_[to].cv.Signal();
  }
  return ranks_[from].status;
}

absl::Status World::Await(int rank, int channel, uint64_t number) {
  MutexLock lock(&mu_);
  Rank& me = ranks_[rank];
  int& arrived = me.arrived[channel][number % 2];
  RETURN_IF_ERROR(WaitFor(me, [&] { return arrived == size_ - 1; }));
  arrived = 0;
  return absl::OkStatus();
}

ConstBytes World::Message(int from, int to, int channel, uint64_t number) const {
  const Box& box = boxes_[BoxIndex(from, to, channel, number)];
  return {box.data.get(), box.size};
}

absl::StatusOr<std::vector<Vote>> World::Exchange(int rank, const Vote& vote) {
  MutexLock lock(&mu_);
  Rank& me = ranks_[rank];
  if (!me.status.ok()) return me.status;
  Round& round = rounds_[me.round++ % 2];
  round.votes[rank] = vote;
  if (++round.count == size_) {
    for (Rank& peer : ranks_) peer.cv.Signal();
  } else {
    for (Rank& peer : ranks_) {
      if (peer.sleeping) peer.cv.Signal();
    }
  }
  RETURN_IF_ERROR(WaitFor(me, [&] { return round.count == size_; }));
  std::vector<Vote> votes = round.votes;
  if (++round.taken == size_) round.count = round.taken = 0;
  return votes;
}

absl::Status World::Sleep(int rank) {
  MutexLock lock(&mu_);
  Rank& me = ranks_[rank];
  // This rank has not voted in its next round, so every vote counted there is a peer's.
  const Round& next = rounds_[me.round % 2];
  me.sleeping = true;
  const absl::Status woken = WaitFor(me, [&] { return me.wake || next.count > 0; });
  me.sleeping = false;
  me.wake = false;
  return woken;
}

void World::Wake(int rank) {
  MutexLock lock(&mu_);
  ranks_[rank].wake = true;
  ranks_[rank].cv.Signal();
}

void World::Abort(int rank, const absl::Status& why) {
  CHECK(!why.ok()) << "Abort needs a reason";
  MutexLock lock(&mu_);
  if (!ranks_[rank].status.ok()) return;
  ranks_[rank].status = why;
  for (Rank& peer : ranks_) {
    if (peer.lost.ok()) peer.lost = LostRankError(rank, "left the group");
    peer.cv.Signal();
  }
}

void World::DropFace(int rank) {
  {
    MutexLock lock(&mu_);
    if (--ranks_[rank].faces > 0) return;
  }
  Abort(rank, absl::CancelledError("the group was destroyed"));
}

absl::Status World::status(int rank) const {
  MutexLock lock(&mu_);
  return ranks_[rank].status;
}

}  // namespace shoal::internal
