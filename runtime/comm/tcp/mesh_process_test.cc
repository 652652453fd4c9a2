// The mesh between real processes: bytes, votes, and a rank that is killed.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "absl/time/clock.h"

#include "runtime/comm/lost_rank.h"
#include "runtime/comm/tcp/mesh_fixture.h"
#include "runtime/tensor/arena.h"

namespace shoal {
namespace {

constexpr int kRanks = 4, kVictim = 2;

class HeapSource : public Arena::Source {
 public:
  std::byte* AllocateChunk(size_t bytes) override {
    return static_cast<std::byte*>(std::aligned_alloc(64, (bytes + 63) / 64 * 64));
  }
  void FreeChunk(std::byte* p, size_t) override { std::free(p); }
};

// Runs `body` in a process for each rank; returns their wait statuses.  A body returns its exit
// code.
std::vector<int> RunProcesses(const std::function<int(MeshGroup&)>& body) {
  MeshFixture fixture(kRanks);
  std::vector<pid_t> pids;
  for (int r = 0; r < kRanks; ++r) {
    const pid_t pid = fork();
    if (pid == 0) {
      const MeshSpec spec = fixture.Spec(r);
      // A worker holds its own listener only.
      for (int other = 0; other < kRanks; ++other) {
        if (other != r) fixture.listeners[other].reset();
      }
      auto group = fixture.listeners[r]->Connect(spec, absl::Now() + absl::Seconds(30));
      if (!group.ok()) fprintf(stderr, "rank %d: %s\n", r, group.status().ToString().c_str());
      const int code = group.ok() ? body(*group) : 100;
      fflush(stderr);
      _exit(code);
    }
    pids.push_back(pid);
  }
  std::vector<int> statuses(kRanks);
  for (int r = 0; r < kRanks; ++r) waitpid(pids[r], &statuses[r], 0);
  return statuses;
}

std::vector<std::byte> Message(int from, int to, int round) {
  std::vector<std::byte> m(static_cast<size_t>(from * 1000 + to * 31 + round * 517));
  for (size_t i = 0; i < m.size(); ++i)
    m[i] = static_cast<std::byte>(i * 7 + from + 3 * to + 11 * round);
  return m;
}

bool ExchangeOnce(MeshGroup& group, Arena& arena, int round) {
  const int rank = group.comm->rank();
  std::vector<std::vector<std::byte>> messages;
  for (int to = 0; to < kRanks; ++to) messages.push_back(Message(rank, to, round));
  std::vector<Bytes> from_peer;
  arena.Reset();
  group.comm->BeginAllToAll(round % 2, std::vector<ConstBytes>(messages.begin(), messages.end()));
  group.comm->EndAllToAll(round % 2, arena, &from_peer);
  bool right = group.comm->status().ok();
  for (int from = 0; from < kRanks; ++from) {
    right &= ConstBytes(from_peer[from]) == ConstBytes(Message(from, rank, round));
  }
  return right;
}

TEST(MeshProcesses, ExchangeAndAgree) {
  const std::vector<int> statuses = RunProcesses([](MeshGroup& group) {
    HeapSource source;
    Arena arena(source);
    for (int round = 0; round < 101; ++round) {
      const auto votes =
          group.agreement->Exchange({.rows = static_cast<uint32_t>(group.comm->rank() + round)});
      if (!votes.ok()) return 1;
      for (int r = 0; r < kRanks; ++r) {
        if ((*votes)[r].rows != static_cast<uint32_t>(r + round)) return 2;
      }
      if (!ExchangeOnce(group, arena, round)) return 3;
    }
    return 0;
  });
  for (const int status : statuses) EXPECT_EQ(status, 0);
}

// SIGKILL in the middle: nobody says good-bye, and the others know who it was.
TEST(MeshProcesses, AKilledRankIsNamedByAllOthers) {
  const std::vector<int> statuses = RunProcesses([](MeshGroup& group) {
    HeapSource source;
    Arena arena(source);
    for (int round = 0;; ++round) {
      if (round == 5 && group.comm->rank() == kVictim) kill(getpid(), SIGKILL);
      if (ExchangeOnce(group, arena, round)) continue;
      const absl::Status status = group.comm->status();
      fprintf(stderr, "rank %d: %s\n", group.comm->rank(), status.ToString().c_str());
      return status.code() == absl::StatusCode::kUnavailable && BlamedRank(status) == kVictim &&
                     round == 5
                 ? 0
                 : 1;
    }
  });
  for (int r = 0; r < kRanks; ++r) {
    if (r == kVictim) {
      EXPECT_TRUE(WIFSIGNALED(statuses[r]));
    } else {
      EXPECT_EQ(statuses[r], 0) << "rank " << r;
    }
  }
}

TEST(MeshProcesses, AKilledRankWakesTheSleepers) {
  const std::vector<int> statuses = RunProcesses([](MeshGroup& group) {
    if (!group.agreement->Exchange({}).ok()) return 1;
    if (group.comm->rank() == 0) kill(getpid(), SIGKILL);
    const absl::Status status = group.agreement->Sleep();
    return status.code() == absl::StatusCode::kUnavailable && BlamedRank(status) == 0 ? 0 : 2;
  });
  for (int r = 1; r < kRanks; ++r) EXPECT_EQ(statuses[r], 0) << "rank " << r;
}

}  // namespace
}  // namespace shoal
