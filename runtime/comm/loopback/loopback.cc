#include "runtime/comm/loopback/loopback.h"

#include <array>
#include <cstring>
#include <utility>

#include "runtime/base/check.h"
#include "runtime/comm/loopback/world.h"

namespace shoal {
namespace {

using internal::World;

class LoopbackCommunicator final : public Communicator {
 public:
  LoopbackCommunicator(std::shared_ptr<World> world, int rank)
      : world_(std::move(world)), rank_(rank) {}
  ~LoopbackCommunicator() override { world_->DropFace(rank_); }

  int rank() const override { return rank_; }
  int size() const override { return world_->size(); }

  void BeginAllToAll(int channel, absl::Span<const ConstBytes> to_peer) override {
    CHECK_EQ(static_cast<int>(to_peer.size()), size());
    CHECK(channel >= 0 && channel < World::kChannels) << "channel " << channel;
    Channel& c = channels_[channel];
    CHECK(!c.open) << "channel " << channel << " has an exchange open";
    c.open = true;
    c.own = to_peer[rank_];
    if (!world_->Post(rank_, channel, c.number, to_peer).ok()) return;
    for (int r = 0; r < size(); ++r) {
      if (r != rank_) traffic_.bytes_sent += static_cast<int64_t>(to_peer[r].size());
    }
  }

  void EndAllToAll(int channel, Arena& arena, std::vector<Bytes>* from_peer) override {
    CHECK(channel >= 0 && channel < World::kChannels) << "channel " << channel;
    Channel& c = channels_[channel];
    CHECK(c.open) << "channel " << channel << " has no exchange open";
    c.open = false;
    from_peer->assign(size(), Bytes());
    const uint64_t number = c.number++;
    if (!world_->Await(rank_, channel, number).ok()) return;
    for (int r = 0; r < size(); ++r) {
      const ConstBytes message = r == rank_ ? c.own : world_->Message(r, rank_, channel, number);
      if (r != rank_) traffic_.bytes_received += static_cast<int64_t>(message.size());
      if (message.empty()) continue;
      std::byte* copy = arena.NewBytes(message.size());
      std::memcpy(copy, message.data(), message.size());
      (*from_peer)[r] = Bytes(copy, message.size());
    }
  }

  void Abort(absl::Status why) override { world_->Abort(rank_, why); }
  absl::Status status() const override { return world_->status(rank_); }
  Traffic traffic() const override { return traffic_; }

 private:
  struct Channel {
    bool open = false;
    uint64_t number = 0;
    ConstBytes own;  // to this rank itself
  };

  const std::shared_ptr<World> world_;
  const int rank_;
  // Owned by the engine thread.
  std::array<Channel, World::kChannels> channels_;
  Traffic traffic_;
};

class LoopbackAgreement final : public Agreement {
 public:
  LoopbackAgreement(std::shared_ptr<World> world, int rank)
      : world_(std::move(world)), rank_(rank) {}
  ~LoopbackAgreement() override { world_->DropFace(rank_); }

  int rank() const override { return rank_; }
  int size() const override { return world_->size(); }
  absl::StatusOr<std::vector<Vote>> Exchange(const Vote& mine) override {
    return world_->Exchange(rank_, mine);
  }
  absl::Status Sleep() override { return world_->Sleep(rank_); }
  void Wake() override { world_->Wake(rank_); }
  void Abort(absl::Status why) override { world_->Abort(rank_, why); }
  absl::Status status() const override { return world_->status(rank_); }

 private:
  const std::shared_ptr<World> world_;
  const int rank_;
};

}  // namespace

std::vector<LoopbackRank> LoopbackGroup(int size) {
  CHECK_GT(size, 0);
  auto world = std::make_shared<World>(size);
  std::vector<LoopbackRank> ranks;
  for (int r = 0; r < size; ++r) {
    ranks.push_back({std::make_unique<LoopbackCommunicator>(world, r),
                     std::make_unique<LoopbackAgreement>(world, r)});
  }
  return ranks;
}

}  // namespace shoal
