// One honest rank, and a peer that breaks the rules in every way we know.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <time.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"

#include "runtime/base/crc32c.h"
#include "runtime/comm/lost_rank.h"
#include "runtime/comm/tcp/group.h"
#include "runtime/comm/tcp/raw_peer.h"

namespace shoal::internal {
namespace {

using ::testing::HasSubstr;

constexpr Epoch kEpoch = {7, 0xc0ffee};
constexpr Epoch kStale = {6, 0xc0ffee};

class HeapSource : public Arena::Source {
 public:
  std::byte* AllocateChunk(size_t bytes) override {
    return static_cast<std::byte*>(std::aligned_alloc(64, (bytes + 63) / 64 * 64));
  }
  void FreeChunk(std::byte* p, size_t) override { std::free(p); }
};

FrameHeader VoteHeader(uint64_t round, Epoch epoch = kEpoch) {
  return {.epoch = epoch, .kind = FrameKind::kVote, .number = round};
}
FrameHeader MessageHeader(uint64_t number, int channel = 0, Epoch epoch = kEpoch) {
  return {.epoch = epoch,
          .kind = FrameKind::kAllToAll,
          .channel = static_cast<uint8_t>(channel),
          .number = number};
}
std::string VoteBytes(uint32_t rows) {
  const Vote vote = {.rows = rows};
  return std::string(reinterpret_cast<const char*>(&vote), sizeof(vote));
}

// Rank 0 of two, and the raw rank 1.
struct Pair {
  explicit Pair(GroupOptions options = {}) : Pair(options, SocketPair()) {}
  Pair(GroupOptions options, std::pair<Fd, Fd> sockets) : peer(std::move(sockets.second)) {
    options.epoch = kEpoch;
    std::vector<std::unique_ptr<Link>> links(2);
    links[1] = std::make_unique<Link>(std::move(sockets.first), 1);
    group = std::make_unique<Group>(options, std::move(links));
  }

  // One exchange of rank 0; what rank 1 sent.
  std::string Receive(int channel = 0, size_t send_bytes = 3) {
    const std::vector<std::byte> message(send_bytes);
    std::vector<Bytes> from_peer;
    group->BeginAllToAll(channel, std::vector<ConstBytes>(2, message));
    group->EndAllToAll(channel, arena, &from_peer);
    return std::string(reinterpret_cast<const char*>(from_peer[1].data()), from_peer[1].size());
  }

  HeapSource source;
  Arena arena{source};
  RawPeer peer;
  std::unique_ptr<Group> group;
};

void ExpectCaught(Pair& pair, absl::StatusCode code, const std::string& message) {
  EXPECT_EQ(pair.Receive(), "");
  EXPECT_EQ(pair.group->status().code(), code) << pair.group->status();
  EXPECT_THAT(pair.group->status().message(), HasSubstr("rank 1: " + message));
  EXPECT_EQ(BlamedRank(pair.group->status()), 1);
  EXPECT_EQ(pair.group->Exchange({}).status(), pair.group->status());
}

TEST(GroupFault, AnHonestPeerIsUnderstood) {
  Pair pair;
  pair.peer.SendFrame(VoteHeader(0), VoteBytes(5));
  pair.peer.SendFrame(MessageHeader(0), "abc");
  pair.peer.SendFrame(MessageHeader(1, 1), "");
  pair.peer.SendFrame(VoteHeader(1), VoteBytes(6));
  ASSERT_TRUE(pair.group->Sleep().ok());
  EXPECT_EQ(pair.group->Exchange({})->at(1).rows, 5u);
  EXPECT_EQ(pair.Receive(), "abc");
  EXPECT_EQ(pair.Receive(1), "");
  EXPECT_EQ(pair.group->Exchange({})->at(1).rows, 6u);
  EXPECT_TRUE(pair.group->status().ok());
}

TEST(GroupFault, EveryDamagedByteIsNoticed) {
  const std::string frame = RawPeer::Frame(MessageHeader(0), std::string(21, 'x'));
  for (size_t i = 0; i < frame.size(); ++i) {
    Pair pair;
    std::string damaged = frame;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    pair.peer.Send(damaged);
    ExpectCaught(pair, absl::StatusCode::kDataLoss,
                 i < kFrameHeaderBytes ? "frame header" : "payload with checksum");
  }
}

TEST(GroupFault, DroppedDuplicatedAndReorderedFrames) {
  {
    Pair pair;
    pair.peer.SendFrame(MessageHeader(1), "b");  // 0 was dropped, or comes after
    ExpectCaught(pair, absl::StatusCode::kDataLoss, "collective 1 where 0 was due");
  }
  {
    Pair pair;
    for (int i = 0; i < 2; ++i) pair.peer.SendFrame(MessageHeader(0), "a");
    EXPECT_EQ(pair.Receive(), "a");
    ExpectCaught(pair, absl::StatusCode::kDataLoss, "collective 0 where 1 was due");
  }
  {
    Pair pair;
    pair.peer.SendFrame(MessageHeader(0, 1), "a");
    pair.peer.SendFrame(MessageHeader(1, 1), "b");  // the first was not asked for yet
    ExpectCaught(pair, absl::StatusCode::kDataLoss, "a second message on channel 1");
  }
  {
    Pair pair;
    pair.peer.SendFrame(VoteHeader(1), VoteBytes(1));
    ExpectCaught(pair, absl::StatusCode::kDataLoss, "vote of round 1 where 0 was due");
  }
  {
    Pair pair;
    for (int i = 0; i < 2; ++i) pair.peer.SendFrame(VoteHeader(i), VoteBytes(1));
    ExpectCaught(pair, absl::StatusCode::kDataLoss, "vote of round 1");  // twice ahead
  }
}

TEST(GroupFault, ImpossibleHeaders) {
  {
    Pair pair;
    pair.peer.SendFrame(MessageHeader(0, 2), "a");
    ExpectCaught(pair, absl::StatusCode::kDataLoss, "channel 2 of 2");
  }
  {
    Pair pair;
    pair.peer.SendFrame(VoteHeader(0), "short");
    ExpectCaught(pair, absl::StatusCode::kDataLoss, "frame of 5 bytes where its kind has 16");
  }
  {
    Pair pair({.max_message_bytes = 1000});
    FrameHeader header = MessageHeader(0);
    header.length = 1001;
    const FrameHeaderBytes bytes = EncodeHeader(header);
    pair.peer.Send({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    ExpectCaught(pair, absl::StatusCode::kDataLoss, "message of 1001 bytes, more than 1000");
  }
  {
    Pair pair;
    FrameHeader header = MessageHeader(0);
    header.kind = static_cast<FrameKind>(9);
    pair.peer.SendFrame(header, "a");
    ExpectCaught(pair, absl::StatusCode::kDataLoss, "frame of unknown kind 9");
  }
  for (const size_t reserved : {18u, 40u}) {
    Pair pair;
    FrameHeaderBytes bytes = EncodeHeader(MessageHeader(0));
    bytes[reserved] = std::byte{1};
    const uint32_t crc = Crc32c(bytes.data(), bytes.size() - sizeof(crc));
    std::memcpy(&bytes[bytes.size() - sizeof(crc)], &crc, sizeof(crc));
    pair.peer.Send({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    ExpectCaught(pair, absl::StatusCode::kDataLoss,
                 reserved == 18 ? "frame header with 1 and 0" : "frame header with 0 and 1");
  }
}

// Found by fuzzing: the peer's collective 0 is on channel 0, ours on channel 1, and its collective
// 1 on channel 1 was taken for ours.
TEST(GroupFault, ChannelsBegunInAnotherOrderAreNoticed) {
  Pair pair;
  pair.peer.SendFrame(MessageHeader(0, 0), "theirs 0");
  pair.peer.SendFrame(MessageHeader(1, 1), "theirs 1");
  EXPECT_EQ(pair.Receive(1), "");
  EXPECT_EQ(pair.group->status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(pair.group->status().message(),
              HasSubstr("rank 1: collective 1 on channel 1 where 0 is open"));
}

// M3 of the membership protocol: no byte of one epoch is consumed in another.  True if the group
// refused a message and a vote of the epoch before.
bool StaleFramesAreRefused(const GroupOptions& options) {
  Pair message(options), vote(options);
  message.peer.SendFrame(MessageHeader(0, 0, kStale), "stale");
  vote.peer.SendFrame(VoteHeader(0, kStale), VoteBytes(1));
  const bool took_message = message.Receive() == "stale";
  const bool took_vote = vote.group->Exchange({}).ok();
  return !took_message && !took_vote;
}

TEST(GroupFault, FramesOfAnotherEpochAreRefused) {
  EXPECT_TRUE(StaleFramesAreRefused({}));
  Pair pair;
  pair.peer.SendFrame(MessageHeader(0, 0, kStale), "stale");
  ExpectCaught(pair, absl::StatusCode::kDataLoss,
               "frame of epoch 6/0000000000c0ffee in epoch 7/0000000000c0ffee");
}

// The saboteur: without the check the law's test above is red.
TEST(GroupFault, SaboteurTheEpochLawCanFail) {
  EXPECT_FALSE(StaleFramesAreRefused({.accept_stale_epoch = true}));
}

TEST(GroupFault, AHalfClosedSocketIsALoss) {
  Pair pair;
  pair.peer.HalfClose();
  ExpectCaught(pair, absl::StatusCode::kUnavailable, "closed its connection");
}

TEST(GroupFault, ASocketClosedInsideAFrameIsALoss) {
  const std::string frame = RawPeer::Frame(MessageHeader(0), std::string(100000, 'x'));
  for (const size_t cut : {1, 47, 48, 49, 40000, 100047}) {
    Pair pair;
    pair.peer.Send(frame.substr(0, cut));
    pair.peer.Close();
    ExpectCaught(pair, absl::StatusCode::kUnavailable, "closed its connection");
  }
}

TEST(GroupFault, WhatWasSentBeforeTheCloseCounts) {
  Pair pair;
  pair.peer.SendFrame(MessageHeader(0), "last");
  pair.peer.HalfClose();
  EXPECT_EQ(pair.Receive(), "last");
  ExpectCaught(pair, absl::StatusCode::kUnavailable, "closed its connection");
}

TEST(GroupFault, FramesMayComeInAnyPieces) {
  const std::string stream = RawPeer::Frame(MessageHeader(0), std::string(5000, 'a')) +
                             RawPeer::Frame(VoteHeader(0), VoteBytes(9)) +
                             RawPeer::Frame(MessageHeader(1), "b");
  for (const size_t piece : {1, 7, 47, 4096}) {
    Pair pair;
    std::thread sender([&] {
      for (size_t i = 0; i < stream.size(); i += piece) pair.peer.Send(stream.substr(i, piece));
    });
    EXPECT_EQ(pair.Receive(), std::string(5000, 'a'));
    EXPECT_EQ(pair.group->Exchange({})->at(1).rows, 9u);
    EXPECT_EQ(pair.Receive(), "b");
    sender.join();
  }
}

TEST(GroupFault, ASilentPeerIsLostAtTheDeadline) {
  Pair pair({.step_deadline = absl::Milliseconds(50)});
  const absl::Time start = absl::Now();
  ExpectCaught(pair, absl::StatusCode::kUnavailable, "silent for ");
  EXPECT_GE(absl::Now() - start, absl::Milliseconds(50));
}

TEST(GroupFault, APeerThatStopsReadingIsLostAtTheDeadline) {
  Pair pair({.step_deadline = absl::Milliseconds(50)});
  pair.peer.SendFrame(MessageHeader(0), "mine");  // it has said its part
  EXPECT_EQ(pair.Receive(0, size_t{64} << 20), "");
  EXPECT_THAT(pair.group->status().message(), HasSubstr("rank 1: silent for "));
}

TEST(GroupFault, ASleepHasNoDeadline) {
  Pair pair({.step_deadline = absl::Nanoseconds(1)});  // passed before the thread below has begun
  std::thread sender([&] { pair.peer.SendFrame(VoteHeader(0), VoteBytes(2)); });
  EXPECT_TRUE(pair.group->Sleep().ok());
  sender.join();
}

TEST(GroupFault, ASleeperNoticesAClosedSocket) {
  Pair pair;
  pair.peer.Close();
  EXPECT_EQ(pair.group->Sleep().code(), absl::StatusCode::kUnavailable);
}

absl::Duration ThreadCpuTime() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return absl::DurationFromTimespec(t);
}

// While another thread works for 50 ms, a sleeper's own CPU clock stands still.
TEST(GroupFault, ASleeperBurnsNothing) {
  Pair pair;
  std::thread worker([&] {
    while (ThreadCpuTime() < absl::Milliseconds(50)) {
    }
    pair.group->Wake();
  });
  const absl::Duration before = ThreadCpuTime();
  EXPECT_TRUE(pair.group->Sleep().ok());
  EXPECT_LT(ThreadCpuTime() - before, absl::Milliseconds(5));
  worker.join();
}

TEST(GroupFault, AFarewellNamesWhoWasLost) {
  Pair pair;
  const uint32_t lost = 0;
  pair.peer.SendFrame({.epoch = kEpoch, .kind = FrameKind::kFarewell},
                      {reinterpret_cast<const char*>(&lost), sizeof(lost)});
  EXPECT_EQ(pair.Receive(), "");
  EXPECT_EQ(BlamedRank(pair.group->status()), 0);
  EXPECT_THAT(pair.group->status().message(), HasSubstr("given up by rank 1"));
}

TEST(GroupFault, AFarewellThatBlamesNobodyOfTheGroupIsALie) {
  for (const uint32_t nobody : {2u, 0xffffffffu}) {
    Pair pair;
    pair.peer.SendFrame({.epoch = kEpoch, .kind = FrameKind::kFarewell},
                        {reinterpret_cast<const char*>(&nobody), sizeof(nobody)});
    ExpectCaught(pair, absl::StatusCode::kDataLoss,
                 absl::StrCat("farewell that blames rank ", nobody, " of 2"));
  }
}

}  // namespace
}  // namespace shoal::internal
