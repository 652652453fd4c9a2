// The stream law and the conservation of generations while everybody interferes: clients go,
// cancel, ranks refuse, finish and are lost, the router drains, all at once. Made for the thread
// sanitizer
// (--config=tsan) and the address sanitizer; without one it still checks the laws.

#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "prometheus/registry.h"

#include "runtime/base/clock.h"
#include "runtime/base/mutex.h"
#include "runtime/text/tokenizer.h"
#include "services/router/backend.h"
#include "services/router/session/generation_table.h"

namespace shoal {
namespace {

using End = v1::GenerationTokens;

constexpr int kRanks = 3;
constexpr int kClients = 3;
constexpr int kQuestions = 250;  // of each client
constexpr int kShort = 4;        // tokens of an answer that ends by itself; others never do
constexpr char kNoSuchRank[] = "its stream is down";

// Ranks that answer. Each is a thread with a queue; what it is asked for takes effect in the order
// in which it was asked.
class BusyRanks : public Backend {
 public:
  ~BusyRanks() override { Finish(); }

  void Start(BackendListener& listener) {
    for (int r = 0; r < kRanks; ++r) {
      ranks_[r].thread = std::thread([this, r, &listener] { Run(r, listener); });
    }
  }

  GroupSnapshot Snapshot() const override {
    GroupSnapshot group = {.serving = true};
    for (int r = 0; r < kRanks; ++r) {
      group.ranks.push_back({.rank = r,
                             .accepting = true,
                             .max_waiting = 1 << 20,
                             .kv_blocks_free = 1,
                             .kv_blocks_total = 1});
    }
    return group;
  }

  // Refuses every ninth. Lets others in first: a generation that is being placed is where they do
  // most harm.
  absl::Status Submit(int32_t rank, const v1::Submit& submit) override {
    for (int i = 0; i < 20; ++i) std::this_thread::yield();
    if (submits_.fetch_add(1) % 9 == 0) return absl::UnavailableError(kNoSuchRank);
    Ask(rank, {.submit = submit});
    return absl::OkStatus();
  }
  void Cancel(int32_t rank, absl::string_view generation, uint32_t) override {
    Ask(rank, {.cancel = std::string(generation)});
  }

  // The rank forgets all it has, as a process that starts again.
  void Lose(int32_t rank) { Ask(rank, {.lose = true}); }

  // Waits until all that was asked has been done; returns how many generations still run.
  size_t Finish() {
    size_t left = 0;
    for (Rank& rank : ranks_) {
      if (!rank.thread.joinable()) continue;
      {
        MutexLock lock(&rank.mu);
        rank.stop = true;
        rank.asked.SignalAll();
      }
      rank.thread.join();
      left += rank.running.size();
    }
    return left;
  }

 private:
  struct Wish {
    std::optional<v1::Submit> submit;
    std::string cancel;
    bool lose = false;
  };
  struct Rank {
    std::thread thread;
    Mutex mu;
    CondVar asked;
    bool stop ABSL_GUARDED_BY(mu) = false;
    std::deque<Wish> wishes ABSL_GUARDED_BY(mu);
    std::map<std::string, v1::Submit> running;  // the thread's, then Finish()'s
  };

  void Ask(int32_t rank, Wish wish) {
    Rank& to = ranks_[rank];
    MutexLock lock(&to.mu);
    to.wishes.push_back(std::move(wish));
    to.asked.SignalAll();
  }

  // False when nothing is left to do and nothing will be.
  static bool Take(Rank& rank, std::deque<Wish>* wishes) {
    MutexLock lock(&rank.mu);
    while (rank.wishes.empty() && rank.running.empty() && !rank.stop) rank.asked.Wait(&rank.mu);
    *wishes = std::exchange(rank.wishes, {});
    return !wishes->empty() || !rank.stop;
  }

  void Run(int r, BackendListener& listener) {
    Rank& rank = ranks_[r];
    std::deque<Wish> wishes;
    while (Take(rank, &wishes)) {
      v1::Tokens step;
      for (Wish& wish : wishes) {
        if (wish.lose) rank.running.clear();
        if (wish.submit.has_value()) rank.running[wish.submit->generation()] = *wish.submit;
        if (rank.running.count(wish.cancel) > 0) Emit(rank, wish.cancel, End::END_CANCELLED, &step);
      }
      std::vector<std::string> ids;
      for (const auto& [id, submit] : rank.running) ids.push_back(id);
      for (const std::string& id : ids) Emit(rank, id, End::NOT_ENDED, &step);
      listener.OnTokens(r, step);
    }
  }

  // One more token, or the end.
  static void Emit(Rank& rank, const std::string& id, End::End end, v1::Tokens* step) {
    v1::Submit& submit = rank.running.at(id);
    End* word = step->add_generations();
    word->set_generation(id);
    word->set_attempt(submit.attempt());
    word->set_position(submit.prompt_size() + submit.emitted_size());
    if (end == End::NOT_ENDED) {
      word->add_ids(5);
      submit.add_emitted(5);
      if (submit.emitted_size() == submit.max_output_tokens()) end = End::END_LENGTH;
    }
    word->set_end(end);
    if (end != End::NOT_ENDED) rank.running.erase(id);
  }

  std::atomic<int> submits_{0};
  std::vector<Rank> ranks_ = std::vector<Rank>(kRanks);
};

// Reads as the reactors of the front door do, and is destroyed while pushers may still be at work.
class Reader {
 public:
  explicit Reader(std::shared_ptr<Outbox> outbox) : outbox_(std::move(outbox)) {
    outbox_->Attach([this] { Pump(); });
  }
  ~Reader() { outbox_->Detach(); }

  // Waits for the terminal and checks the law.
  void Wait() {
    MutexLock lock(&mu_);
    while (!end_.has_value()) ended_.Wait(&mu_);
    EXPECT_EQ(end_->ok(), finishes_ == 1) << *end_;
    EXPECT_LE(finishes_, 1);
  }

 private:
  void Pump() {
    MutexLock lock(&mu_);
    while (!end_.has_value()) {
      Outbox::Item item = outbox_->TryTake();
      if (item.event.has_value()) {
        EXPECT_EQ(item.event->seq(), next_++);
        EXPECT_EQ(item.event->has_started(), item.event->seq() == 0);
        EXPECT_EQ(finishes_, 0) << "an event after Finish";
        finishes_ += item.event->has_finish();
      } else if (item.end.has_value()) {
        end_ = *item.end;
        ended_.SignalAll();
      } else {
        return;
      }
    }
  }

  const std::shared_ptr<Outbox> outbox_;
  Mutex mu_;
  CondVar ended_;
  uint64_t next_ ABSL_GUARDED_BY(mu_) = 0;
  int finishes_ ABSL_GUARDED_BY(mu_) = 0;
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mu_);
};

class GenerationRaceTest : public testing::Test {
 protected:
  GenerationRaceTest() {
    auto loaded = Tokenizer::Load("tools/nano/model/tokenizer.json");
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    tokenizer_ = *std::move(loaded);
    ranks_.Start(table_);
  }

  std::shared_ptr<Generation> Make(const std::string& id, std::shared_ptr<Outbox> outbox,
                                   int max_output) {
    GenerationSpec spec = {
        .generation_id = id, .request_id = id, .method = "Chat", .arrival = clock_.Now()};
    spec.submit.add_prompt(0);
    spec.submit.set_max_output_tokens(max_output);
    return std::make_shared<Generation>(std::move(spec), OutputText::Plain(*tokenizer_),
                                        std::move(outbox), clock_, metrics_);
  }

  // Asks one question after another and waits for the end of each.
  void BeClient(int client) {
    std::mt19937 random(static_cast<uint32_t>(client));
    for (int i = 0; i < kQuestions; ++i) {
      const std::string id = absl::StrCat(client, "-", i);
      now_asking_[client] = i;
      auto outbox = std::make_shared<Outbox>(1 << 20);
      const bool endless = random() % 2 == 0;
      auto reader = std::make_unique<Reader>(outbox);
      const absl::Status started = table_.Start(Make(id, outbox, endless ? 1 << 20 : kShort), 1);
      if (!started.ok()) {
        outbox->End(started);  // CHECK-fails later if anything is still pushed
      } else if (endless && random() % 2 == 0) {
        table_.Abandon(id);
      } else if (endless) {
        table_.CancelGeneration(id);
      }
      reader->Wait();
    }
  }

  // Cancels what clients are about to ask.
  void BeCanceller() {
    for (uint32_t i = 0; clients_left_ > 0; ++i) {
      const uint32_t client = i % kClients;
      table_.CancelRequest(absl::StrCat(client, "-", now_asking_[client].load()));
    }
  }

  void BeMisfortune() {
    for (int32_t i = 0; clients_left_ > 0; ++i) {
      ranks_.Lose(i % kRanks);
      table_.OnRankLost(i % kRanks, absl::UnavailableError("lost"));
      std::this_thread::yield();
    }
  }

  RealClock& clock_ = RealClock::Get();
  prometheus::Registry registry_;
  RouterMetrics metrics_{registry_};
  std::unique_ptr<const Tokenizer> tokenizer_;
  BusyRanks ranks_;
  GenerationTable table_{64, ranks_, clock_, metrics_};
  std::atomic<int> clients_left_{kClients};
  std::vector<std::atomic<int>> now_asking_ = std::vector<std::atomic<int>>(kClients);
};

TEST_F(GenerationRaceTest, EveryStreamEndsOnceAndNoRankKeepsAnOrphan) {
  std::vector<std::thread> threads;
  for (int c = 0; c < kClients; ++c) {
    threads.emplace_back([this, c] {
      BeClient(c);
      --clients_left_;
    });
  }
  threads.emplace_back([this] { BeCanceller(); });
  threads.emplace_back([this] { BeMisfortune(); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(table_.open(), 0);
  EXPECT_EQ(ranks_.Finish(), 0u) << "generations that nobody waits for any more";
  EXPECT_EQ(metrics_.waiting.Value(), 0);
  EXPECT_EQ(metrics_.running.Value(), 0);
}

TEST_F(GenerationRaceTest, ADrainUnderLoadLeavesNothing) {
  std::vector<std::thread> threads;
  for (int c = 0; c < kClients; ++c) threads.emplace_back([this, c] { BeClient(c); });
  while (now_asking_[0] < kQuestions / 10) std::this_thread::yield();
  table_.Drain(clock_.Now());
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(table_.open(), 0);
  EXPECT_EQ(ranks_.Finish(), 0u) << "generations that nobody waits for any more";
}

}  // namespace
}  // namespace shoal
