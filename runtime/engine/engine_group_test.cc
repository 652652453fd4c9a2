// Several ranks: idle ones join, groups break and re-form, and no stream shows
// it.

#include <algorithm>
#include <atomic>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

#include "runtime/engine/engine.h"
#include "runtime/engine/testing/fake_model.h"
#include "runtime/engine/testing/stream_checker.h"
#include "runtime/engine/testing/test_cluster.h"

namespace shoal {
namespace {

using Ranks = std::vector<std::unique_ptr<TestRank>>;

Ranks MakeRanks(int size) {
  Ranks ranks;
  for (int r = 0; r < size; ++r) {
    ranks.push_back(std::make_unique<TestRank>(
        EngineOptions{.max_sequences = 6, .max_batch_tokens = 20, .kv_blocks = 40}));
  }
  return ranks;
}

void DrainAll(const Ranks& ranks) {
  for (const auto& rank : ranks) rank->engine->Drain(absl::InfiniteFuture());
}

class EngineGroupTest : public testing::TestWithParam<int> {};

TEST_P(EngineGroupTest, EveryRankServesWhileOthersIdle) {
  const Ranks ranks = MakeRanks(GetParam());
  AttachAll(ranks);
  // One rank at a time: all others bring empty batches.
  for (size_t r = 0; r < ranks.size(); ++r) {
    const Request request = MakeTestRequest(static_cast<int>(r), 50, 20);
    ASSERT_TRUE(ranks[r]->Submit(request).ok());
    EXPECT_TRUE(ranks[r]->sink.WaitForEnd(request.key).ids == ReferenceTokens(request));
  }
  // And all at once.
  for (int i = 0; i < 30; ++i) {
    ASSERT_TRUE(ranks[i % ranks.size()]
                    ->Submit(MakeTestRequest(100 + i, 1 + i * 11 % 90, 1 + i % 37))
                    .ok());
  }
  for (int i = 0; i < 30; ++i) {
    const Request request = MakeTestRequest(100 + i, 1 + i * 11 % 90, 1 + i % 37);
    EXPECT_TRUE(ranks[i % ranks.size()]->sink.WaitForEnd(request.key).ids ==
                ReferenceTokens(request));
  }
  DrainAll(ranks);
  // Every rank saw every row of every rank, once it has committed the last pass too.
  for (const auto& rank : ranks) {
    while (rank->engine->load().steps < ranks[0]->engine->load().steps) std::this_thread::yield();
    while (rank->engine->load().steps > ranks[0]->engine->load().steps) std::this_thread::yield();
    EXPECT_EQ(rank->metrics.expert_tokens[0][0]->Value(),
              ranks[0]->metrics.expert_tokens[0][0]->Value());
    EXPECT_TRUE(rank->sink.violations().empty());
  }
}

TEST_P(EngineGroupTest, GroupsBreakAndNoStreamShowsIt) {
  const Ranks ranks = MakeRanks(GetParam());
  AttachAll(ranks);
  std::vector<Request> requests;
  for (int i = 0; i < 4 * GetParam(); ++i) {
    requests.push_back(MakeTestRequest(i, 1 + i * 29 % 200, 150 + i));
    ASSERT_TRUE(ranks[i % ranks.size()]->Submit(requests.back()).ok());
  }
  std::mt19937 random(GetParam());
  for (int round = 0; round < 25; ++round) {
    TestRank& watched = *ranks[random() % ranks.size()];
    // Some progress first, so that it ends; then any rank may go first.
    watched.sink.WaitForTokens(std::min<int64_t>(watched.sink.tokens() + random() % 30, 600));
    const auto first = random() % ranks.size();
    for (size_t r = 0; r < ranks.size(); ++r) {
      ranks[(first + r) % ranks.size()]->engine->Detach(absl::AbortedError("a new epoch"));
    }
    AttachAll(ranks);
  }
  for (size_t i = 0; i < requests.size(); ++i) {
    EXPECT_TRUE(ranks[i % ranks.size()]->sink.WaitForEnd(requests[i].key).ids ==
                ReferenceTokens(requests[i]));
  }
  DrainAll(ranks);
  for (const auto& rank : ranks) {
    EXPECT_TRUE(rank->sink.violations().empty());
    EXPECT_EQ(rank->engine->load().kv_blocks_free, 40);
  }
}

INSTANTIATE_TEST_SUITE_P(Ranks, EngineGroupTest, testing::Values(1, 2, 4));

// Counts the rounds and the sleeps of another agreement.
class CountingAgreement final : public Agreement {
 public:
  struct Counts {
    std::atomic<int> rounds = 0, idle_rounds = 0, sleeps = 0;
  };
  CountingAgreement(std::unique_ptr<Agreement> inner, Counts& counts)
      : inner_(std::move(inner)), counts_(counts) {}

  int rank() const override { return inner_->rank(); }
  int size() const override { return inner_->size(); }
  absl::StatusOr<std::vector<Vote>> Exchange(const Vote& mine) override {
    ++counts_.rounds;
    auto votes = inner_->Exchange(mine);
    bool idle = votes.ok();
    if (idle) {
      for (const Vote& vote : *votes) idle &= vote.rows == 0 && vote.pending == 0;
    }
    if (idle) ++counts_.idle_rounds;
    return votes;
  }
  absl::Status Sleep() override {
    ++counts_.sleeps;
    return inner_->Sleep();
  }
  void Wake() override { inner_->Wake(); }
  void Abort(absl::Status why) override { inner_->Abort(why); }
  absl::Status status() const override { return inner_->status(); }

 private:
  const std::unique_ptr<Agreement> inner_;
  Counts& counts_;
};

TEST(EngineIdleTest, AnIdleGroupSleepsAndASubmitWakesAllOfIt) {
  std::vector<CountingAgreement::Counts> counts(3);
  const Ranks ranks = MakeRanks(3);
  std::vector<Group> groups = MakeTestGroups(3);
  for (int r = 0; r < 3; ++r) {
    groups[r].agreement =
        std::make_unique<CountingAgreement>(std::move(groups[r].agreement), counts[r]);
    ranks[r]->engine->Attach(std::move(groups[r]));
  }
  for (int round = 1; round <= 3; ++round) {
    for (auto& c : counts) {
      while (c.sleeps < round) std::this_thread::yield();
    }
    const Request request = MakeTestRequest(round, 5, 4);
    ASSERT_TRUE(ranks[round % 3]->Submit(request).ok());
    EXPECT_TRUE(ranks[round % 3]->sink.WaitForEnd(request.key).ids == ReferenceTokens(request));
  }
  DetachAll(ranks);
  for (const auto& c : counts) {
    // A rank never votes twice in a row for nothing: every idle round ends in a sleep.
    EXPECT_EQ(c.idle_rounds, c.sleeps);
    // Each wake-up costs one spurious round at most (12 passes, 4 times to sleep).
    EXPECT_LE(c.rounds, 12 + 4 + 3 + 1);
  }
}

TEST(EngineDetachTest, ComesBackFromAVoteThatNobodyAnswers) {
  TestRank rank;
  std::vector<Group> groups = MakeTestGroups(2);
  rank.engine->Attach(std::move(groups[0]));  // nobody drives the other rank
  const Request request = MakeTestRequest(4, 10, 10);
  ASSERT_TRUE(rank.Submit(request).ok());
  rank.engine->Detach(absl::AbortedError("a new epoch"));
  rank.engine->Attach(std::move(MakeTestGroups(1)[0]));
  EXPECT_TRUE(rank.sink.WaitForEnd(request.key).ids == ReferenceTokens(request));
}

TEST(EngineDetachTest, DyingDoesNotWaitForPeers) {
  TestRank rank;
  std::vector<Group> groups = MakeTestGroups(2);
  rank.engine->Attach(std::move(groups[0]));  // nobody drives the other rank
  const Request request = MakeTestRequest(4, 10, 10);
  ASSERT_TRUE(rank.Submit(request).ok());
  rank.engine.reset();
  EXPECT_TRUE(absl::IsUnavailable(rank.sink.WaitForEnd(request.key).error));
}

TEST(EngineDetachTest, ComesBackFromAnExchangeThatNobodyJoins) {
  TestRank rank;
  std::vector<Group> groups = MakeTestGroups(2);
  rank.engine->Attach(std::move(groups[0]));
  const Request request = MakeTestRequest(4, 10, 10);
  ASSERT_TRUE(rank.Submit(request).ok());
  // The other rank votes and then stays away. (The first round may be idle.)
  while (true) {
    const auto votes = groups[1].agreement->Exchange({});
    ASSERT_TRUE(votes.ok());
    if ((*votes)[0].rows == 0) continue;
    EXPECT_EQ((*votes)[0].rows, 10u);
    EXPECT_EQ((*votes)[0].pending, 1u);
    break;
  }
  rank.engine->Detach(absl::AbortedError("a new epoch"));
  EXPECT_EQ(rank.engine->load().steps, 0u);
  EXPECT_TRUE(rank.engine->group_status().ok());  // asked for, not broken
  rank.engine->Attach(std::move(MakeTestGroups(1)[0]));
  EXPECT_TRUE(rank.sink.WaitForEnd(request.key).ids == ReferenceTokens(request));
}

TEST(EngineDetachTest, ALostPeerBreaksTheGroupAndIsNamed) {
  TestRank rank;
  std::vector<Group> groups = MakeTestGroups(2);
  rank.engine->Attach(std::move(groups[0]));
  const Request request = MakeTestRequest(4, 10, 10);
  ASSERT_TRUE(rank.Submit(request).ok());
  groups[1] = Group();  // dies
  while (rank.engine->group_status().ok()) std::this_thread::yield();
  EXPECT_NE(rank.engine->group_status().message().find("rank 1"), std::string::npos);
  // Cancelling works in a broken group.
  rank.engine->Cancel(request.key);
  EXPECT_EQ(rank.sink.WaitForEnd(request.key).reason, FinishReason::kCancelled);
}

TEST(EngineDetachTest, PlacementsMustAgree) {
  TestRank rank;
  std::vector<Group> groups = MakeTestGroups(2);
  groups[0].placement_version = 7;
  rank.engine->Attach(std::move(groups[0]));
  ASSERT_TRUE(groups[1].agreement->Exchange({.placement_version = 8}).ok());
  while (rank.engine->group_status().ok()) std::this_thread::yield();
  EXPECT_EQ(rank.engine->group_status().message(), "rank 1 has placement version 8, rank 0 has 7");
}

TEST(EngineDetachTest, WithoutAGroupIsNoOp) {
  TestRank rank;
  rank.engine->Detach(absl::AbortedError("nothing to leave"));
  rank.engine->Attach(std::move(MakeTestGroups(1)[0]));
  rank.engine->Detach(absl::AbortedError("a new epoch"));
  rank.engine->Detach(absl::AbortedError("a new epoch"));
}

}  // namespace
}  // namespace shoal
