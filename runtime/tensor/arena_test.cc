#include "runtime/tensor/arena.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "gtest/gtest.h"

#include "runtime/tensor/dtype.h"
#include "runtime/tensor/tensor.h"

namespace shoal {
namespace {

class CountingSource : public Arena::Source {
 public:
  std::byte* AllocateChunk(size_t bytes) override {
    live_bytes += bytes;
    ++allocations;
    return static_cast<std::byte*>(std::aligned_alloc(64, bytes));
  }
  void FreeChunk(std::byte* p, size_t bytes) override {
    live_bytes -= bytes;
    std::free(p);
  }
  size_t live_bytes = 0;
  int allocations = 0;
};

TEST(Arena, SameRequestsGetTheSameAddresses) {
  CountingSource source;
  Arena arena(source, 1 << 10);
  auto pass = [&] {
    arena.Reset();
    std::vector<std::byte*> p;
    for (int rows : {3, 0, 7, 1, 50, 2}) {
      p.push_back(arena.New(DType::kBF16, rows, 33).data);
    }
    return p;
  };
  const std::vector<std::byte*> first = pass();
  const int allocations = source.allocations;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(pass(), first);
  EXPECT_EQ(source.allocations, allocations);
}

TEST(Arena, BlocksAreAlignedAndDisjoint) {
  CountingSource source;
  Arena arena(source, 256);
  std::byte* previous = nullptr;
  for (size_t bytes : {1, 64, 65, 0, 100}) {
    std::byte* p = arena.NewBytes(bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(p) % 64, 0u);
    EXPECT_NE(p, previous);
    previous = p;
  }
  EXPECT_EQ(arena.high_water_bytes(), 64u + 64 + 128 + 64 + 128);
}

TEST(Arena, GrowsByAChunkThatFitsAndGivesAllBack) {
  CountingSource source;
  {
    Arena arena(source, 128);
    arena.NewBytes(5000);
    EXPECT_EQ(source.live_bytes, 5056u);
    arena.NewBytes(1);
    EXPECT_EQ(source.live_bytes, 5056u + 128);
    arena.Reset();
    arena.NewBytes(5000);
    EXPECT_EQ(source.live_bytes, 5056u + 128);
    EXPECT_EQ(arena.high_water_bytes(), 5056u + 64);
  }
  EXPECT_EQ(source.live_bytes, 0u);
}

TEST(Arena, ShapeOfATensor) {
  CountingSource source;
  Arena arena(source);
  const Tensor t = arena.New(DType::kF32, 5, 7);
  EXPECT_EQ(t.rows, 5);
  EXPECT_EQ(t.cols, 7);
  EXPECT_TRUE(t.packed());
  EXPECT_TRUE(arena.New(DType::kF32, 0, 7).empty());
}

}  // namespace
}  // namespace shoal
