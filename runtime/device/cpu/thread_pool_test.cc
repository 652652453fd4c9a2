#include "runtime/device/cpu/thread_pool.h"

#include <xmmintrin.h>

#include <atomic>
#include <cstdint>
#include <vector>

#include "gtest/gtest.h"

namespace shoal::cpu {
namespace {

TEST(ThreadPool, EveryItemIsDoneOnceForAnyGrain) {
  for (int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (int64_t items : {0, 1, 2, 17, 1000}) {
      for (int64_t grain : {1, 3, 64, 5000}) {
        std::vector<std::atomic<int>> done(static_cast<size_t>(items));
        pool.ParallelFor(items, grain, [&](int worker, int64_t begin, int64_t end) {
          EXPECT_LT(worker, threads);
          for (int64_t i = begin; i < end; ++i) ++done[static_cast<size_t>(i)];
        });
        for (const std::atomic<int>& d : done) EXPECT_EQ(d, 1);
      }
    }
  }
}

TEST(ThreadPool, WhatOneRoundWroteTheNextReads) {
  ThreadPool pool(3);
  std::vector<int64_t> values(100, 0);
  for (int round = 1; round <= 2000; ++round) {
    pool.ParallelFor(100, 1, [&](int, int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) values[static_cast<size_t>(99 - i)] += 1;
    });
  }
  for (int64_t v : values) EXPECT_EQ(v, 2000);
}

TEST(ThreadPool, DenormalsAreFlushedInEveryThreadAndTheCallersModeComesBack) {
  const unsigned before = _mm_getcsr();
  ThreadPool pool(4);
  std::atomic<int> flushing{0};
  pool.ParallelFor(64, 1, [&](int, int64_t begin, int64_t end) {
    if ((_mm_getcsr() & 0x8040) == 0x8040) flushing += static_cast<int>(end - begin);
  });
  EXPECT_EQ(flushing, 64);
  EXPECT_EQ(_mm_getcsr() & 0xffc0, before & 0xffc0);
}

}  // namespace
}  // namespace shoal::cpu
