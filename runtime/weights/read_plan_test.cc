#include "runtime/weights/read_plan.h"

#include <cstdint>

#include "gtest/gtest.h"

namespace shoal {
namespace {

class ReadPlanTest : public ::testing::Test {
 protected:
  PlannedRead Read(int32_t shard, uint64_t offset, uint64_t bytes) {
    entries_.push_back(std::make_unique<Checkpoint::Entry>());
    entries_.back()->shard = shard;
    entries_.back()->tensor.offset = offset;
    entries_.back()->tensor.bytes = bytes;
    return {nullptr, entries_.back().get()};
  }
  std::vector<std::unique_ptr<Checkpoint::Entry>> entries_;
};

TEST_F(ReadPlanTest, NeighboursBecomeOneRead) {
  const auto runs = CoalesceReads(
      {Read(1, 30, 3), Read(0, 20, 10), Read(0, 13, 7), Read(0, 30, 1), Read(0, 40, 2)});
  ASSERT_EQ(runs.size(), 3u);
  EXPECT_EQ(runs[0].offset, 13u);
  EXPECT_EQ(runs[0].bytes, 18u);
  EXPECT_EQ(runs[0].reads.size(), 3u);
  EXPECT_EQ(runs[1].offset, 40u);
  EXPECT_EQ(runs[2].shard, 1);
}

TEST_F(ReadPlanTest, RunsAreBounded) {
  const auto runs =
      CoalesceReads({Read(0, 0, kMaxRunBytes - 1), Read(0, kMaxRunBytes - 1, 1),
                     Read(0, kMaxRunBytes, 1), Read(0, kMaxRunBytes + 1, 3 * kMaxRunBytes)});
  ASSERT_EQ(runs.size(), 3u);
  EXPECT_EQ(runs[0].bytes, kMaxRunBytes);
  EXPECT_EQ(runs[1].bytes, 1u);
  EXPECT_EQ(runs[2].bytes, 3 * kMaxRunBytes);
}

TEST_F(ReadPlanTest, StagedTensorsAreAlignedAndApart) {
  const auto runs = CoalesceReads({Read(0, 5, 3), Read(0, 8, 65), Read(0, 73, 0), Read(0, 73, 2)});
  ASSERT_EQ(runs.size(), 1u);
  StagingBuffer staging(runs);
  const auto parts = staging.Parts(runs[0]);
  ASSERT_EQ(parts.size(), 4u);
  const std::byte* end = nullptr;
  for (size_t i = 0; i < parts.size(); ++i) {
    EXPECT_EQ(reinterpret_cast<uintptr_t>(parts[i].data()) % 64, 0u);
    EXPECT_EQ(parts[i].size(), runs[0].reads[i].entry->tensor.bytes);
    if (i > 0) {
      EXPECT_GE(parts[i].data(), end);
    }
    end = parts[i].data() + parts[i].size();
  }
}

}  // namespace
}  // namespace shoal
