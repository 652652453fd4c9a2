#include "runtime/comm/loopback/world.h"

#include <cstring>

#include "runtime/base/check.h"
#include "runtime/comm/lost_rank.h"

namespace shoal::internal {

World::World(int size)
    : size_(size), boxes_(static_cast<size_t>(size) * size * kChannels * 2), ranks_(size) {
  for (Round& round : rounds_) round.votes.resize(size);
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
  while (me.status.ok() && arrived < size_ - 1) me.cv.Wait(&mu_);
  if (me.status.ok()) arrived = 0;
  return me.status;
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
  while (me.status.ok() && round.count < size_) me.cv.Wait(&mu_);
  if (!me.status.ok()) return me.status;
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
  while (me.status.ok() && !me.wake && next.count == 0) me.cv.Wait(&mu_);
  me.sleeping = false;
  me.wake = false;
  return me.status;
}

void World::Wake(int rank) {
  MutexLock lock(&mu_);
  ranks_[rank].wake = true;
  ranks_[rank].cv.Signal();
}

void World::Abort(int rank, const absl::Status& why) {
  CHECK(!why.ok()) << "Abort needs a reason";
  MutexLock lock(&mu_);
  for (int r = 0; r < size_; ++r) {
    Rank& peer = ranks_[r];
    if (!peer.status.ok()) continue;
    peer.status = r == rank ? why : LostRankError(rank, "left the group");
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
