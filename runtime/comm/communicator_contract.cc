#include <cstdint>
#include <cstdlib>
#include <thread>
#include <vector>

#include "absl/status/status.h"

#include "runtime/comm/contract.h"
#include "runtime/comm/lost_rank.h"
#include "runtime/tensor/arena.h"

namespace shoal {
namespace {

class HeapSource : public Arena::Source {
 public:
  std::byte* AllocateChunk(size_t bytes) override {
    return static_cast<std::byte*>(std::aligned_alloc(64, (bytes + 63) / 64 * 64));
  }
  void FreeChunk(std::byte* p, size_t) override { std::free(p); }
};

// A stream of bytes that no other (from, to, round) has.
std::vector<std::byte> Message(int from, int to, int round, size_t size) {
  std::vector<uint64_t> words((size + 7) / 8);
  uint64_t x = static_cast<uint64_t>((from * 31 + to) * 1009 + round) * 0x9e3779b97f4a7c15u + 1;
  for (uint64_t& word : words) {
    x ^= x << 13, x ^= x >> 7, x ^= x << 17;
    word = x;
  }
  const auto* bytes = reinterpret_cast<const std::byte*>(words.data());
  return std::vector<std::byte>(bytes, bytes + size);
}

// Zero rows, one byte, odd sizes, and sizes around the transports' buffers.
size_t RaggedSize(int from, int to, int round) {
  constexpr size_t kSizes[] = {0, 1, 15, 16, 17, 64, 1023, 4096, 0, 16383, 16384, 40001, 70000};
  return kSizes[(from * 5 + to * 3 + round * 7) % std::size(kSizes)];
}

using SizeOfMessage = size_t (*)(int from, int to, int round);

// One rank's side of one exchange: what it sends, and whether what it receives is right.
struct Side {
  Communicator& comm;
  int channel, round;
  SizeOfMessage size;
  std::vector<std::vector<std::byte>> sent = {};

  void Begin() {
    for (int to = 0; to < comm.size(); ++to) {
      sent.push_back(Message(comm.rank(), to, round, size(comm.rank(), to, round)));
    }
    comm.BeginAllToAll(channel, std::vector<ConstBytes>(sent.begin(), sent.end()));
  }
  void End(Arena& arena) {
    std::vector<Bytes> from_peer;
    comm.EndAllToAll(channel, arena, &from_peer);
    for (auto& message : sent)
      std::fill(message.begin(), message.end(), std::byte{0xee});  // it may be used again
    ASSERT_EQ(static_cast<int>(from_peer.size()), comm.size());
    for (int from = 0; from < comm.size(); ++from) {
      const auto expected = Message(from, comm.rank(), round, size(from, comm.rank(), round));
      ASSERT_TRUE(ConstBytes(from_peer[from]) == ConstBytes(expected))
          << "from " << from << " to " << comm.rank() << " round " << round << ": "
          << comm.status();
      EXPECT_EQ(reinterpret_cast<uintptr_t>(from_peer[from].data()) % 64, 0u);
    }
  }
};

void ExpectDead(Communicator& comm, Arena& arena) {
  EXPECT_FALSE(comm.status().ok());
  for (int channel = 0; channel < 2; ++channel) {
    const std::vector<std::byte> large(1 << 20);
    comm.BeginAllToAll(channel, std::vector<ConstBytes>(comm.size(), large));
    std::vector<Bytes> from_peer = {Bytes()};
    comm.EndAllToAll(channel, arena, &from_peer);
    ASSERT_EQ(static_cast<int>(from_peer.size()), comm.size());
    for (const Bytes& b : from_peer) EXPECT_TRUE(b.empty());
  }
}

TEST_P(CommunicatorContract, RanksAreInOrder) {
  std::vector<ContractRank> group = Make();
  for (int r = 0; r < ranks(); ++r) {
    EXPECT_EQ(group[r].comm->rank(), r);
    EXPECT_EQ(group[r].comm->size(), ranks());
    EXPECT_TRUE(group[r].comm->status().ok());
  }
}

TEST_P(CommunicatorContract, RaggedMessagesArriveWhole) {
  std::vector<ContractRank> group = Make();
  RunRanks(group, [](ContractRank& r, int) {
    HeapSource source;
    Arena arena(source);
    for (int round = 0; round < 39; ++round) {
      arena.Reset();
      Side side{*r.comm, round % 2, round, RaggedSize};
      side.Begin();
      side.End(arena);
    }
    EXPECT_TRUE(r.comm->status().ok()) << r.comm->status();
  });
}

TEST_P(CommunicatorContract, NobodySendsAnything) {
  std::vector<ContractRank> group = Make();
  RunRanks(group, [](ContractRank& r, int) {
    HeapSource source;
    Arena arena(source);
    for (int round = 0; round < 9; ++round) {
      Side side{*r.comm, round % 2, round, [](int, int, int) -> size_t { return 0; }};
      side.Begin();
      side.End(arena);
    }
  });
}

// 8 MB between ranks 0 and 1 both ways, more than any socket buffer, and ragged ones between the
// rest.
size_t LargeBetweenTwo(int from, int to, int round) {
  return from + to == 1 ? (size_t{8} << 20) + 13 * round + from : RaggedSize(from, to, round);
}

TEST_P(CommunicatorContract, LargeMessagesPassEachOther) {
  std::vector<ContractRank> group = Make();
  RunRanks(group, [](ContractRank& r, int) {
    HeapSource source;
    Arena arena(source);
    for (int round = 0; round < 2; ++round) {
      arena.Reset();
      Side side{*r.comm, 0, round, LargeBetweenTwo};
      side.Begin();
      side.End(arena);
    }
  });
}

// Both channels are open at once, and the ranks do not agree which to end first.
TEST_P(CommunicatorContract, ChannelsEndInAnyOrder) {
  std::vector<ContractRank> group = Make();
  RunRanks(group, [](ContractRank& r, int rank) {
    HeapSource source;
    Arena arena(source);
    for (int round = 0; round < 24; ++round) {
      arena.Reset();
      const SizeOfMessage size = round == 7 ? LargeBetweenTwo : RaggedSize;
      Side a{*r.comm, 0, 2 * round, size}, b{*r.comm, 1, 2 * round + 1, size};
      a.Begin();
      b.Begin();
      const bool turned = (rank + round) % 3 == 0;
      (turned ? b : a).End(arena);
      (turned ? a : b).End(arena);
    }
    EXPECT_TRUE(r.comm->status().ok()) << r.comm->status();
  });
}

TEST_P(CommunicatorContract, TrafficCountsWhatLeavesTheRank) {
  std::vector<ContractRank> group = Make();
  RunRanks(group, [](ContractRank& r, int rank) {
    HeapSource source;
    Arena arena(source);
    Communicator::Traffic expected;
    for (int round = 0; round < 5; ++round) {
      Side side{*r.comm, 0, round, RaggedSize};
      side.Begin();
      side.End(arena);
      for (int peer = 0; peer < r.comm->size(); ++peer) {
        if (peer == rank) continue;
        expected.bytes_sent += static_cast<int64_t>(RaggedSize(rank, peer, round));
        expected.bytes_received += static_cast<int64_t>(RaggedSize(peer, rank, round));
      }
    }
    EXPECT_EQ(r.comm->traffic().bytes_sent, expected.bytes_sent);
    EXPECT_EQ(r.comm->traffic().bytes_received, expected.bytes_received);
  });
}

TEST_P(CommunicatorContract, APeersDeathEndsABlockedExchange) {
  if (ranks() == 1) GTEST_SKIP() << "nobody else can die";
  std::vector<ContractRank> group = Make();
  const int dead = ranks() / 2;
  RunRanks(group, [&](ContractRank& r, int rank) {
    HeapSource source;
    Arena arena(source);
    Side first{*r.comm, 0, 0, RaggedSize};
    first.Begin();
    first.End(arena);
    if (rank == dead) {
      r.comm.reset();
      r.agreement.reset();
      return;
    }
    const std::vector<std::byte> message(1000);
    r.comm->BeginAllToAll(0, std::vector<ConstBytes>(ranks(), message));
    std::vector<Bytes> from_peer;
    r.comm->EndAllToAll(0, arena, &from_peer);
    for (const Bytes& b : from_peer) EXPECT_TRUE(b.empty());
    EXPECT_EQ(r.comm->status().code(), absl::StatusCode::kUnavailable) << r.comm->status();
    EXPECT_EQ(BlamedRank(r.comm->status()), dead) << r.comm->status();
    EXPECT_EQ(r.agreement->status(), r.comm->status());
    ExpectDead(*r.comm, arena);
  });
}

TEST_P(CommunicatorContract, APeersDeathEndsALargeSend) {
  if (ranks() == 1) GTEST_SKIP() << "nobody else can die";
  std::vector<ContractRank> group = Make();
  RunRanks(group, [&](ContractRank& r, int rank) {
    HeapSource source;
    Arena arena(source);
    if (rank == 0) {
      r.comm.reset();
      r.agreement.reset();
      return;
    }
    const std::vector<std::byte> message(size_t{8} << 20);
    std::vector<ConstBytes> to_peer(ranks());
    to_peer[0] = message;
    r.comm->BeginAllToAll(1, to_peer);
    std::vector<Bytes> from_peer;
    r.comm->EndAllToAll(1, arena, &from_peer);
    EXPECT_EQ(r.comm->status().code(), absl::StatusCode::kUnavailable) << r.comm->status();
    ExpectDead(*r.comm, arena);
  });
}

TEST_P(CommunicatorContract, AbortFromAnotherThreadEndsEverything) {
  if (ranks() == 1) GTEST_SKIP() << "a group of one never blocks";
  std::vector<ContractRank> group = Make();
  std::thread other;
  RunRanks(group, [&](ContractRank& r, int rank) {
    HeapSource source;
    Arena arena(source);
    if (rank == 0) {  // never begins, so all others are stuck
      other = std::thread([&] { group[1].comm->Abort(absl::AbortedError("a new epoch")); });
      return;
    }
    const std::vector<std::byte> message(3);
    r.comm->BeginAllToAll(0, std::vector<ConstBytes>(ranks(), message));
    std::vector<Bytes> from_peer;
    r.comm->EndAllToAll(0, arena, &from_peer);
    if (rank == 1) {
      EXPECT_EQ(r.comm->status(), absl::AbortedError("a new epoch"));
    } else {
      EXPECT_EQ(BlamedRank(r.comm->status()), 1) << r.comm->status();
    }
    ExpectDead(*r.comm, arena);
  });
  other.join();
}

TEST_P(CommunicatorContract, TheFirstErrorStays) {
  std::vector<ContractRank> group = Make();
  Communicator& comm = *group[0].comm;
  comm.Abort(absl::InternalError("first"));
  comm.Abort(absl::InternalError("second"));
  group[0].agreement->Abort(absl::InternalError("third"));
  EXPECT_EQ(comm.status(), absl::InternalError("first"));
  HeapSource source;
  Arena arena(source);
  ExpectDead(comm, arena);
}

}  // namespace
}  // namespace shoal
