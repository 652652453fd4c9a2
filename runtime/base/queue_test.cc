#include "runtime/base/queue.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/base/fake_clock.h"

namespace shoal {
namespace {

constexpr absl::Time kForever = absl::InfiniteFuture();

TEST(Queue, IsFirstInFirstOut) {
  Queue<int> queue(5);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(queue.Push(int{i}, kForever).ok());
  EXPECT_EQ(queue.size(), 3u);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(*queue.Pop(kForever), i);
  EXPECT_FALSE(queue.TryPop().has_value());
  EXPECT_TRUE(queue.TryPopAll().empty());
}

TEST(Queue, AFullQueueRefusesAndLeavesTheItemWithTheCaller) {
  Queue<std::unique_ptr<int>> queue(1);
  ASSERT_TRUE(queue.TryPush(std::make_unique<int>(1)).ok());
  auto item = std::make_unique<int>(2);
  EXPECT_TRUE(absl::IsResourceExhausted(queue.TryPush(std::move(item))));
  ASSERT_NE(item, nullptr);
  EXPECT_EQ(*item, 2);
  EXPECT_EQ(**queue.TryPop(), 1);
  EXPECT_TRUE(queue.TryPush(std::move(item)).ok());
  EXPECT_EQ(item, nullptr);
}

TEST(Queue, PopGivesUpAtTheDeadlineOfItsClock) {
  FakeClock clock;
  Queue<int> queue(1, clock);
  const absl::Time deadline = clock.Now() + absl::Seconds(5);
  absl::Status status;
  std::thread popper([&] { status = queue.Pop(deadline).status(); });
  clock.Advance(absl::Seconds(5));
  popper.join();
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
}

TEST(Queue, PushGivesUpAtTheDeadlineOfItsClock) {
  FakeClock clock;
  Queue<int> queue(1, clock);
  ASSERT_TRUE(queue.TryPush(1).ok());
  const absl::Time deadline = clock.Now() + absl::Seconds(5);
  absl::Status status;
  std::thread pusher([&] { status = queue.Push(2, deadline); });
  clock.Advance(absl::Seconds(5));
  pusher.join();
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
  EXPECT_EQ(queue.size(), 1u);
}

TEST(Queue, ItemsBeforeCloseComeOutThenAborted) {
  Queue<int> queue(3);
  ASSERT_TRUE(queue.TryPush(1).ok());
  ASSERT_TRUE(queue.TryPush(2).ok());
  queue.Close();
  queue.Close();
  EXPECT_TRUE(queue.closed());
  EXPECT_TRUE(absl::IsAborted(queue.TryPush(3)));
  EXPECT_TRUE(absl::IsAborted(queue.Push(3, kForever)));
  EXPECT_EQ(*queue.Pop(kForever), 1);
  EXPECT_EQ(*queue.PopAll(kForever), std::vector<int>{2});
  EXPECT_TRUE(absl::IsAborted(queue.Pop(kForever).status()));
  EXPECT_TRUE(absl::IsAborted(queue.PopAll(kForever).status()));
}

TEST(Queue, CloseWakesThoseWhoWait) {
  Queue<int> empty(1), full(1);
  ASSERT_TRUE(full.TryPush(1).ok());
  absl::Status popped, pushed;
  std::thread popper([&] { popped = empty.Pop(kForever).status(); });
  std::thread pusher([&] { pushed = full.Push(2, kForever); });
  empty.Close();
  full.Close();
  popper.join();
  pusher.join();
  EXPECT_TRUE(absl::IsAborted(popped));
  EXPECT_TRUE(absl::IsAborted(pushed));
}

TEST(Queue, NothingIsLostBetweenManyPushersAndOnePopper) {
  constexpr int kPushers = 3, kItems = 1501;
  Queue<std::pair<int, int>> queue(7);
  std::vector<std::thread> pushers;
  for (int p = 0; p < kPushers; ++p) {
    pushers.emplace_back([&queue, p] {
      for (int i = 0; i < kItems; ++i) {
        EXPECT_TRUE(queue.Push({p, i}, kForever).ok());
      }
    });
  }
  std::vector<int> next(kPushers, 0);
  int received = 0;
  while (received < kPushers * kItems) {
    auto batch = queue.PopAll(kForever);
    ASSERT_TRUE(batch.ok());
    ASSERT_FALSE(batch->empty());
    ASSERT_LE(batch->size(), 7u);
    for (const auto& [pusher, i] : *batch) EXPECT_EQ(i, next[pusher]++);
    received += batch->size();
  }
  for (std::thread& pusher : pushers) pusher.join();
  EXPECT_EQ(queue.size(), 0u);
}

TEST(QueueDeathTest, ACapacityOfZeroIsABug) { EXPECT_DEATH(Queue<int>(0), "capacity > 0"); }

}  // namespace
}  // namespace shoal
