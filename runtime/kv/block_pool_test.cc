#include "runtime/kv/block_pool.h"

#include <algorithm>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace shoal {

// Breaks the pool in the ways that Audit must find.
class BlockPoolSaboteur {
 public:
  static void Leak(BlockPool& pool) {
    pool.free_.pop_back();
    ++pool.used_;  // the sums still agree
  }
  static void HandOutTwice(BlockPool& pool, int32_t block) { pool.free_.front() = block; }
  static void ForgetPromise(BlockPool& pool) { --pool.promised_; }
};

namespace {

TEST(BlockPoolTest, BlocksForPositions) {
  EXPECT_EQ(BlocksFor(0), 0);
  EXPECT_EQ(BlocksFor(1), 1);
  EXPECT_EQ(BlocksFor(64), 1);
  EXPECT_EQ(BlocksFor(65), 2);
}

TEST(BlockPoolTest, APromiseIsKept) {
  BlockPool pool(5);
  std::optional<KvLease> a = pool.Reserve(3);
  ASSERT_TRUE(a.has_value());
  EXPECT_EQ(pool.available(), 2);
  EXPECT_EQ(pool.free(), 5);
  EXPECT_FALSE(pool.Reserve(3).has_value());
  std::optional<KvLease> b = pool.Reserve(2);
  ASSERT_TRUE(b.has_value());
  b->Grow(128);
  a->Grow(1);
  a->Grow(64);  // still fits
  EXPECT_EQ(a->blocks().size(), 1u);
  a->Grow(65);
  a->Grow(192);
  EXPECT_EQ(a->blocks().size(), 3u);
  EXPECT_EQ(pool.free(), 0);
  EXPECT_EQ(pool.used(), 5);
  EXPECT_TRUE(pool.Audit({&*a, &*b}).ok());
  a.reset();
  EXPECT_EQ(pool.free(), 3);
  EXPECT_TRUE(pool.Audit({&*b}).ok());
}

TEST(BlockPoolDeathTest, GrowingPastThePromiseDies) {
  BlockPool pool(5);
  std::optional<KvLease> lease = pool.Reserve(1);
  EXPECT_DEATH(lease->Grow(65), "past its promise");
}

TEST(BlockPoolTest, MovingALeaseMovesItsBlocks) {
  BlockPool pool(4);
  KvLease a = *pool.Reserve(2);
  a.Grow(1);
  KvLease b = std::move(a);
  EXPECT_TRUE(pool.Audit({&b}).ok());
  a = *pool.Reserve(1);
  b = std::move(a);  // gives its own back
  EXPECT_EQ(pool.used(), 0);
  EXPECT_EQ(pool.promised(), 1);
}

TEST(BlockPoolTest, ABlockFreedDuringAPassComesBackAfterIt) {
  BlockPool pool(2);
  KvLease a = *pool.Reserve(1);
  a.Grow(1);
  pool.BeginPass();
  a.Release();
  EXPECT_EQ(pool.free(), 1);
  EXPECT_EQ(pool.used(), 1);  // retired
  EXPECT_FALSE(pool.Reserve(2).has_value());
  EXPECT_TRUE(pool.Audit({}).ok());
  pool.EndPass();
  EXPECT_EQ(pool.free(), 2);
  EXPECT_TRUE(pool.Reserve(2).has_value());
}

TEST(BlockPoolTest, ConservationUnderRandomUse) {
  std::mt19937 random(11);
  for (int round = 0; round < 50; ++round) {
    BlockPool pool(1 + random() % 40);
    std::vector<KvLease> leases;
    bool in_pass = false;
    for (int i = 0; i < 300; ++i) {
      switch (random() % 4) {
        case 0:
          if (auto lease = pool.Reserve(random() % 5)) leases.push_back(*std::move(lease));
          break;
        case 1:
          if (!leases.empty()) {
            KvLease& lease = leases[random() % leases.size()];
            const auto most = static_cast<int64_t>(lease.blocks().size()) + lease.promised();
            lease.Grow(random() % (most * kKvBlock + 1));
          }
          break;
        case 2:
          if (!leases.empty()) leases.erase(leases.begin() + random() % leases.size());
          break;
        default:
          in_pass ? pool.EndPass() : pool.BeginPass();
          in_pass = !in_pass;
      }
      std::vector<const KvLease*> alive;
      for (const KvLease& lease : leases) alive.push_back(&lease);
      ASSERT_TRUE(pool.Audit(alive).ok()) << pool.Audit(alive);
      ASSERT_EQ(pool.free() + pool.used(), pool.total());
    }
    leases.clear();
    if (in_pass) pool.EndPass();
    ASSERT_EQ(pool.free(), pool.total());
  }
}

TEST(BlockPoolSaboteurTest, AuditFindsWhatIsBroken) {
  const auto broken = [](auto sabotage) {
    BlockPool pool(8);
    KvLease lease = *pool.Reserve(3);
    lease.Grow(2 * kKvBlock);
    EXPECT_TRUE(pool.Audit({&lease}).ok());
    sabotage(pool, lease);
    return !pool.Audit({&lease}).ok();
  };
  EXPECT_TRUE(broken([](BlockPool& pool, KvLease&) { BlockPoolSaboteur::Leak(pool); }));
  EXPECT_TRUE(broken([](BlockPool& pool, KvLease& lease) {
    BlockPoolSaboteur::HandOutTwice(pool, lease.blocks()[0]);
  }));
  EXPECT_TRUE(broken([](BlockPool& pool, KvLease&) { BlockPoolSaboteur::ForgetPromise(pool); }));
}

}  // namespace
}  // namespace shoal
