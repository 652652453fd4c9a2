#include "runtime/engine/packed_batch.h"

#include <vector>

#include "gtest/gtest.h"

namespace shoal {
namespace {

TEST(PackedBatchTest, PacksPiecesOneAfterTheOther) {
  const std::vector<TokenId> ids_a = {7}, ids_b = {3, 4, 5};
  const std::vector<int32_t> blocks_a = {9, 2}, blocks_b = {0};
  StepPlan plan;
  plan.pieces.push_back({.position = 70, .ids = ids_a, .blocks = blocks_a, .samples = true});
  plan.pieces.push_back({.position = 0, .ids = ids_b, .blocks = blocks_b, .samples = false});
  plan.pieces.push_back({.position = 3, .ids = ids_a, .blocks = blocks_b, .samples = true});
  plan.rows = 5;
  PackedBatch packed;
  for (int round = 0; round < 2; ++round) {  // its memory is reused
    const Batch& batch = packed.Pack(plan);
    EXPECT_EQ(batch.rows(), 5);
    EXPECT_EQ(batch.ids, absl::MakeConstSpan({7, 3, 4, 5, 7}));
    const std::vector<int> positions = {70, 0, 1, 2, 3}, tables = {0, 1, 1, 1, 2};
    for (int t = 0; t < 5; ++t) {
      EXPECT_EQ(batch.places[t].position, positions[t]);
      EXPECT_EQ(batch.places[t].table, tables[t]);
    }
    ASSERT_EQ(batch.block_tables.size(), 3u);
    EXPECT_EQ(batch.block_tables[0], absl::MakeConstSpan(blocks_a));
    EXPECT_EQ(batch.block_tables[2], absl::MakeConstSpan(blocks_b));
    EXPECT_EQ(batch.logit_rows, absl::MakeConstSpan({0, 4}));
  }
}

TEST(PackedBatchTest, TheEmptyPlanIsTheEmptyBatch) {
  PackedBatch packed;
  const Batch& batch = packed.Pack({});
  EXPECT_EQ(batch.rows(), 0);
  EXPECT_TRUE(batch.block_tables.empty());
  EXPECT_TRUE(batch.logit_rows.empty());
}

}  // namespace
}  // namespace shoal
