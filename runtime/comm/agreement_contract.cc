#include <atomic>
#include <cstdint>
#include <random>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "runtime/comm/contract.h"
#include "runtime/comm/lost_rank.h"

namespace shoal {
namespace {

Vote VoteOf(int rank, int round) {
  const auto x = static_cast<uint32_t>(rank * 100003 + round);
  return {.rows = x, .pending = x ^ 0xffffffffu, .placement_version = x * 7, .draining = x & 1};
}

TEST_P(AgreementContract, EveryRankSeesEveryVote) {
  std::vector<ContractRank> group = Make();
  RunRanks(group, [&](ContractRank& r, int rank) {
    EXPECT_EQ(r.agreement->rank(), rank);
    EXPECT_EQ(r.agreement->size(), ranks());
    for (int round = 0; round < 300; ++round) {
      const absl::StatusOr<std::vector<Vote>> votes = r.agreement->Exchange(VoteOf(rank, round));
      ASSERT_TRUE(votes.ok()) << votes.status();
      ASSERT_EQ(static_cast<int>(votes->size()), ranks());
      for (int peer = 0; peer < ranks(); ++peer)
        ASSERT_EQ((*votes)[peer], VoteOf(peer, round)) << round;
    }
  });
}

// The first voter wakes everybody else; its vote is not lost by being early.
TEST_P(AgreementContract, AVoteWakesTheSleepers) {
  if (ranks() == 1) GTEST_SKIP() << "nobody else can vote";
  std::vector<ContractRank> group = Make();
  RunRanks(group, [&](ContractRank& r, int rank) {
    for (int round = 0; round < 100; ++round) {
      if (rank != round % ranks()) {
        ASSERT_TRUE(r.agreement->Sleep().ok());
        // The vote is still there: sleeping again returns at once.
        if (round % 3 == 0) {
          ASSERT_TRUE(r.agreement->Sleep().ok());
        }
      }
      const auto votes = r.agreement->Exchange(VoteOf(rank, round));
      ASSERT_TRUE(votes.ok()) << votes.status();
      for (int peer = 0; peer < ranks(); ++peer) ASSERT_EQ((*votes)[peer], VoteOf(peer, round));
    }
  });
}

TEST_P(AgreementContract, AWakeBeforeSleepCountsOnce) {
  std::vector<ContractRank> group = Make();
  Agreement& agreement = *group[0].agreement;
  for (int i = 0; i < 50; ++i) {
    agreement.Wake();
    agreement.Wake();
    ASSERT_TRUE(agreement.Sleep().ok());  // the two that were before it
    std::atomic<bool> woken = false;
    std::thread waker([&] {
      woken = true;
      agreement.Wake();
    });
    ASSERT_TRUE(agreement.Sleep().ok());
    EXPECT_TRUE(woken) << "a used wake ended another sleep";
    waker.join();
  }
}

// An engine in small: work comes from outside at any moment, with a Wake; whoever has none left
// votes 0, and all sleep when all voted 0.  A lost wake-up hangs the test.
class Engine {
 public:
  explicit Engine(Agreement& agreement) : agreement_(agreement) {}

  void Give() {
    ++work_;
    agreement_.Wake();
  }
  void Stop() {
    stop_ = true;
    agreement_.Wake();
  }
  // Until all ranks were told to stop and nobody has work.  Returns how much work the whole group
  // did.
  int64_t Run() {
    int64_t done = 0;
    while (true) {
      const uint32_t draining =
          stop_ ? 1 : 0;  // read before the work: nothing is given after Stop()
      const auto mine = static_cast<uint32_t>(work_.exchange(0));
      const auto votes = agreement_.Exchange({.rows = mine, .draining = draining});
      if (!votes.ok()) {
        ADD_FAILURE() << votes.status();
        return -1;
      }
      bool idle = true, all_draining = true;
      for (const Vote& v : *votes) {
        done += v.rows;
        idle &= v.rows == 0;
        all_draining &= v.draining == 1;
      }
      if (idle && all_draining) return done;
      if (idle && !agreement_.Sleep().ok()) return -1;
    }
  }

 private:
  Agreement& agreement_;
  std::atomic<int64_t> work_ = 0;
  std::atomic<bool> stop_ = false;
};

TEST_P(AgreementContract, NoWakeUpIsLost) {
  std::vector<ContractRank> group = Make();
  std::vector<std::unique_ptr<Engine>> engines;
  for (ContractRank& r : group) engines.push_back(std::make_unique<Engine>(*r.agreement));
  constexpr int kWork = 1500;
  std::thread giver([&] {
    std::mt19937 rng(ranks());
    for (int i = 0; i < kWork; ++i) {
      engines[rng() % engines.size()]->Give();
      if (rng() % 4 == 0) std::this_thread::yield();
    }
    for (auto& engine : engines) engine->Stop();
  });
  RunRanks(group, [&](ContractRank&, int rank) { EXPECT_EQ(engines[rank]->Run(), kWork); });
  giver.join();
}

TEST_P(AgreementContract, AbortEndsASleep) {
  std::vector<ContractRank> group = Make();
  std::thread aborter([&] { group[0].agreement->Abort(absl::AbortedError("a new epoch")); });
  RunRanks(group, [&](ContractRank& r, int rank) {
    const absl::Status slept = r.agreement->Sleep();
    if (rank == 0) {
      EXPECT_EQ(slept, absl::AbortedError("a new epoch"));
    } else {
      EXPECT_EQ(BlamedRank(slept), 0) << slept;
    }
    EXPECT_EQ(r.agreement->status(), slept);
    EXPECT_EQ(r.comm->status(), slept);
    EXPECT_EQ(r.agreement->Sleep(), slept);
    EXPECT_EQ(r.agreement->Exchange({}).status(), slept);
  });
  aborter.join();
}

TEST_P(AgreementContract, APeersDeathEndsSleepAndExchange) {
  if (ranks() == 1) GTEST_SKIP() << "nobody else can die";
  for (const bool asleep : {false, true}) {
    std::vector<ContractRank> group = Make();
    RunRanks(group, [&](ContractRank& r, int rank) {
      ASSERT_TRUE(r.agreement->Exchange(VoteOf(rank, 0)).ok());
      if (rank == ranks() - 1) {
        r.agreement.reset();
        r.comm.reset();
        return;
      }
      const absl::Status status =
          asleep ? r.agreement->Sleep() : r.agreement->Exchange({}).status();
      EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
      EXPECT_EQ(BlamedRank(status), ranks() - 1) << status;
    });
  }
}

}  // namespace
}  // namespace shoal
