#include "runtime/engine/scheduler.h"

#include <algorithm>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace shoal {
namespace {

constexpr absl::Time kStart = absl::UnixEpoch();
constexpr absl::Duration kStep = absl::Milliseconds(10);

Request MakeRequest(int id, int prompt, int max_output) {
  Request request;
  request.key = {absl::StrCat(id), 0};
  request.prompt.assign(prompt, 1);
  request.max_output_tokens = max_output;
  return request;
}

// Rows of each piece, in order.
std::vector<int64_t> Rows(const StepPlan& plan) {
  std::vector<int64_t> rows;
  for (const StepPlan::Piece& piece : plan.pieces) rows.push_back(piece.ids.size());
  return rows;
}

std::vector<absl::StatusOr<TokenId>> SampleOnes(const StepPlan& plan) {
  std::vector<absl::StatusOr<TokenId>> samples;
  for (const StepPlan::Piece& piece : plan.pieces) {
    if (piece.samples) samples.emplace_back(1);
  }
  return samples;
}

// Plans and commits a step; what it planned.
std::vector<int64_t> Step(Scheduler& scheduler, absl::Time now = kStart) {
  const StepPlan& plan = scheduler.Next(now, kStep);
  std::vector<int64_t> rows = Rows(plan);
  if (plan.rows > 0) scheduler.Commit(SampleOnes(plan));
  return rows;
}

TEST(SchedulerTest, PromptsAreCutToTheBudgetAndDecodingGoesFirst) {
  BlockPool pool(10);
  Scheduler scheduler({.max_sequences = 4, .max_batch_tokens = 8}, pool);
  scheduler.Add(MakeRequest(0, 3, 4));
  EXPECT_EQ(Step(scheduler), (std::vector<int64_t>{3}));
  scheduler.Add(MakeRequest(1, 12, 2));
  scheduler.Add(MakeRequest(2, 2, 2));
  // One row of 0 that decodes, 7 of the first prompt.
  EXPECT_EQ(Step(scheduler), (std::vector<int64_t>{1, 7}));
  EXPECT_EQ(Step(scheduler), (std::vector<int64_t>{1, 5, 2}));
  EXPECT_EQ(Step(scheduler), (std::vector<int64_t>{1, 1, 1}));
  EXPECT_EQ(scheduler.live(), 0);
  EXPECT_EQ(Step(scheduler), (std::vector<int64_t>{}));
}

TEST(SchedulerTest, APieceSamplesOnlyAtItsEnd) {
  BlockPool pool(10);
  Scheduler scheduler({.max_sequences = 1, .max_batch_tokens = 4}, pool);
  scheduler.Add(MakeRequest(0, 6, 2));
  const StepPlan& first = scheduler.Next(kStart, kStep);
  EXPECT_FALSE(first.pieces[0].samples);
  EXPECT_EQ(scheduler.Commit({}).prompt_tokens, 4);
  EXPECT_TRUE(scheduler.TakeOutputs().empty());
  const StepPlan& second = scheduler.Next(kStart, kStep);
  EXPECT_TRUE(second.pieces[0].samples);
  EXPECT_EQ(second.pieces[0].position, 4);
  const StepTally tally = scheduler.Commit(SampleOnes(second));
  EXPECT_EQ(tally.prompt_tokens, 2);
  EXPECT_EQ(tally.output_tokens, 1);
  const std::vector<StepOutput> outputs = scheduler.TakeOutputs();
  ASSERT_EQ(outputs.size(), 1u);
  EXPECT_EQ(outputs[0].position, 6);
  EXPECT_EQ(outputs[0].ids.size(), 1u);
  EXPECT_FALSE(outputs[0].finished);
}

TEST(SchedulerTest, ADroppedPassNeverHappened) {
  BlockPool pool(10);
  Scheduler scheduler({.max_sequences = 2, .max_batch_tokens = 100}, pool);
  scheduler.Add(MakeRequest(0, 70, 3));
  Step(scheduler);
  scheduler.TakeOutputs();
  for (int i = 0; i < 3; ++i) {
    const StepPlan& plan = scheduler.Next(kStart, kStep);
    EXPECT_EQ(plan.pieces[0].position, 70);
    EXPECT_EQ(plan.rows, 1);
    scheduler.Drop();
    EXPECT_TRUE(scheduler.TakeOutputs().empty());
    EXPECT_TRUE(scheduler.Audit().ok());
  }
}

TEST(SchedulerTest, AdmissionWaitsForTheWholeRequestsBlocksInOrder) {
  BlockPool pool(3);
  Scheduler scheduler({.max_sequences = 4, .max_batch_tokens = 8}, pool);
  scheduler.Add(MakeRequest(0, 1, 128));  // 2 blocks
  scheduler.Add(MakeRequest(1, 1, 128));  // 2, does not fit
  scheduler.Add(MakeRequest(2, 1, 1));    // would fit, but comes later
  EXPECT_EQ(Step(scheduler), (std::vector<int64_t>{1}));
  EXPECT_EQ(scheduler.running(), 1);
  EXPECT_EQ(scheduler.waiting(), 2);
  EXPECT_EQ(pool.used(), 1);  // taken as it grows
  scheduler.Cancel({"0", 0});
  EXPECT_EQ(Step(scheduler), (std::vector<int64_t>{1, 1}));
}

TEST(SchedulerTest, CancelDuringAPassSkipsItsPieceAndRetiresItsBlocks) {
  BlockPool pool(2);
  Scheduler scheduler({.max_sequences = 2, .max_batch_tokens = 8}, pool);
  scheduler.Add(MakeRequest(0, 2, 9));
  scheduler.Add(MakeRequest(1, 2, 9));
  const StepPlan& plan = scheduler.Next(kStart, kStep);
  const auto samples = SampleOnes(plan);
  scheduler.Cancel({"0", 0});
  EXPECT_EQ(pool.free(), 0);  // the pass may still write it
  EXPECT_TRUE(scheduler.Audit().ok());
  scheduler.Commit(samples);
  EXPECT_EQ(pool.free(), 1);
  const std::vector<StepOutput> outputs = scheduler.TakeOutputs();
  ASSERT_EQ(outputs.size(), 2u);
  EXPECT_EQ(outputs[0].key.id, "0");
  EXPECT_EQ(outputs[0].reason, FinishReason::kCancelled);
  EXPECT_EQ(outputs[1].key.id, "1");
}

TEST(SchedulerTest, EndsWhatCannotHaveAnotherTokenInTime) {
  BlockPool pool(2);
  Scheduler scheduler({.max_sequences = 1, .max_batch_tokens = 8}, pool);
  for (int i = 0; i < 3; ++i) {
    Request request = MakeRequest(i, 2, 9);
    request.deadline = kStart + absl::Milliseconds(25 + i);
    scheduler.Add(request);
  }
  EXPECT_EQ(scheduler.earliest_deadline(), kStart + absl::Milliseconds(25));
  Step(scheduler, kStart);
  Step(scheduler, kStart + absl::Milliseconds(15));
  EXPECT_EQ(scheduler.TakeOutputs().size(), 2u);  // of the first
  Step(scheduler, kStart + absl::Milliseconds(16));
  const std::vector<StepOutput> outputs = scheduler.TakeOutputs();
  ASSERT_EQ(outputs.size(), 2u);
  EXPECT_EQ(outputs[0].reason, FinishReason::kTimeLimit);
  EXPECT_EQ(outputs[0].position, 4);
  EXPECT_EQ(outputs[1].key.id, "1");  // in its place
}

// What a random history expects of each generation (laws 4 and 5).
class History {
 public:
  explicit History(int seed)
      : random_(seed),
        pool_(2 + random_() % 20),
        options_{.max_sequences = 1 + Below(8), .max_batch_tokens = 8 + Below(40)},
        scheduler_(options_, pool_) {}

  void Run() {
    for (int step = 0; step < 400; ++step) {
      for (int i = Below(3); i > 0; --i) Arrive();
      if (Below(10) == 0) CancelOne();
      if (Below(150) == 0) scheduler_.FailAll(absl::UnavailableError("test"));
      OneStep();
      if (testing::Test::HasFatalFailure()) return;
    }
    // No starvation: without arrivals, so many steps are enough.
    for (int64_t step = RowsLeft() + 1; step > 0 && scheduler_.live() > 0; --step) OneStep();
    EXPECT_EQ(scheduler_.live(), 0);
    EXPECT_EQ(pool_.free(), pool_.total());
    for (const auto& [id, open] : open_) EXPECT_TRUE(open.ended) << id;
  }

 private:
  struct Open {
    int number = 0;
    int64_t next = 0, limit = 0;
    bool ended = false;
  };

  int Below(int n) { return static_cast<int>(random_() % n); }

  void Arrive() {
    if (scheduler_.waiting() >= 30) return;
    const int capacity = static_cast<int>(pool_.total()) * kKvBlock + 1;
    const int length = std::min(2 + Below(Below(2) == 0 ? 20 : 400), capacity);
    const int prompt = 1 + Below(length - 1);
    Request request = MakeRequest(arrivals_, prompt, length - prompt);
    for (int i = Below(request.max_output_tokens); i > 0 && Below(3) == 0; --i) {
      request.emitted.push_back(1);
    }
    request.stop_tokens = {0};
    if (Below(5) == 0) request.deadline = now_ + absl::Milliseconds(Below(3000));
    open_[request.key.id] = {arrivals_++, prompt + static_cast<int64_t>(request.emitted.size()),
                             length, false};
    scheduler_.Add(std::move(request));
  }

  void CancelOne() {
    if (arrivals_ > 0) scheduler_.Cancel({absl::StrCat(Below(arrivals_)), 0});
  }

  int64_t RowsLeft() const {
    int64_t rows = 0;
    for (const auto& [id, open] : open_) rows += open.ended ? 0 : open.limit;
    return rows;
  }

  void OneStep() {
    const StepPlan& plan = scheduler_.Next(now_, kStep);
    now_ += kStep;
    CheckOutputs();
    CheckPlan(plan);
    if (testing::Test::HasFatalFailure() || plan.rows == 0) return;
    std::vector<absl::StatusOr<TokenId>> samples;
    for (const auto& sample : SampleOnes(plan)) {
      const int dice = Below(60);
      if (dice == 0) samples.emplace_back(absl::InternalError("test"));
      if (dice == 1) samples.emplace_back(0);  // the stop token
      if (dice > 1) samples.push_back(sample);
    }
    if (Below(8) == 0) CancelInFlight(plan);
    if (Below(10) == 0) {
      scheduler_.Drop();
    } else {
      for (const StepPlan::Piece& piece : plan.pieces) committed_[piece.sequence] = piece.end();
      scheduler_.Commit(samples);
    }
    CheckOutputs();
    CheckBooks();
  }

  void CheckPlan(const StepPlan& plan) {
    ASSERT_EQ(plan.rows > 0, scheduler_.live() > 0);  // progress
    ASSERT_LE(plan.rows, options_.max_batch_tokens);
    ASSERT_LE(scheduler_.running(), options_.max_sequences);
    int64_t rows = 0;
    for (const StepPlan::Piece& piece : plan.pieces) {
      rows += static_cast<int64_t>(piece.ids.size());
      ASSERT_EQ(piece.position, committed_[piece.sequence]);
      // All positions have room, and at most one block is partly filled.
      ASSERT_EQ(static_cast<int64_t>(piece.blocks.size()), BlocksFor(piece.end()));
    }
    ASSERT_EQ(rows, plan.rows);
    CheckOrder(plan);
    CheckBooks();
  }

  // First come, first served: whoever has its first rows was admitted after all
  // that came before it, so no more of these can still be without rows than run
  // at once. (The scheduler numbers generations as they arrive.)
  void CheckOrder(const StepPlan& plan) {
    for (const StepPlan::Piece& piece : plan.pieces) has_rows_.insert(piece.sequence);
    for (const StepPlan::Piece& piece : plan.pieces) {
      int overtaken = 0;
      for (const auto& [id, open] : open_) {
        const auto number = static_cast<uint64_t>(open.number);
        if (number < piece.sequence && !open.ended && !has_rows_.contains(number)) ++overtaken;
      }
      ASSERT_LT(overtaken, options_.max_sequences);
    }
  }

  // A block of the pass in flight is not handed out before the pass ends.
  void CancelInFlight(const StepPlan& plan) {
    std::vector<int32_t> in_flight;
    for (const StepPlan::Piece& piece : plan.pieces) {
      in_flight.insert(in_flight.end(), piece.blocks.begin(), piece.blocks.end());
    }
    CancelOne();
    std::optional<KvLease> rest = pool_.Reserve(pool_.available());
    ASSERT_TRUE(rest.has_value());
    rest->Grow(rest->promised() * kKvBlock);
    for (int32_t block : rest->blocks()) {
      ASSERT_EQ(std::count(in_flight.begin(), in_flight.end(), block), 0);
    }
  }

  void CheckBooks() {
    ASSERT_TRUE(scheduler_.Audit().ok()) << scheduler_.Audit();
    ASSERT_EQ(pool_.free() + pool_.used(), pool_.total());
  }

  void CheckOutputs() {
    for (const StepOutput& output : scheduler_.TakeOutputs()) {
      Open& open = open_.at(output.key.id);
      ASSERT_FALSE(open.ended);
      ASSERT_EQ(output.position, open.next);
      open.next += static_cast<int64_t>(output.ids.size());
      ASSERT_LE(open.next, open.limit);
      open.ended = output.finished || !output.error.ok();
      if (output.finished && output.reason == FinishReason::kLength) {
        ASSERT_EQ(open.next, open.limit);
      }
    }
  }

  std::mt19937 random_;
  BlockPool pool_;
  const Scheduler::Options options_;
  Scheduler scheduler_;
  absl::Time now_ = kStart;
  int arrivals_ = 0;
  absl::flat_hash_map<std::string, Open> open_;
  absl::flat_hash_set<uint64_t> has_rows_;
  absl::flat_hash_map<uint64_t, int64_t> committed_;  // positions of each sequence
};

TEST(SchedulerPropertyTest, RandomHistoriesKeepTheLaws) {
  for (int seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    History(seed).Run();
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace shoal
