#include "runtime/tensor/tensor.h"

#include <cstdint>
#include <numeric>
#include <vector>

#include "gtest/gtest.h"

#include "runtime/tensor/dtype.h"

namespace shoal {
namespace {

TEST(Tensor, HeadsSplitAndRowsAreViewsOfTheSameMemory) {
  std::vector<float> values(3 * 10);
  std::iota(values.begin(), values.end(), 0.0f);
  const Tensor x = Tensor::Of(values.data(), DType::kF32, 3, 10);
  const Tensor heads = x.Heads(2);
  EXPECT_EQ(heads.cols, 5);
  EXPECT_EQ(*heads.At<float>(1, 1), 15);
  EXPECT_TRUE(heads.packed());
  EXPECT_EQ(heads.Flat().cols, 10);

  const auto [nope, rope] = heads.Split(3);
  EXPECT_EQ(nope.cols, 3);
  EXPECT_EQ(rope.cols, 2);
  EXPECT_FALSE(rope.packed());
  EXPECT_EQ(*rope.At<float>(2, 1), 28);
  EXPECT_EQ(rope.width(), 4);
  EXPECT_EQ(rope.bytes(), 3u * 4 * sizeof(float));

  const Tensor last = rope.Rows(2, 1);
  EXPECT_EQ(*last.At<float>(0, 0), 23);
  EXPECT_TRUE(x.Rows(3, 0).empty());
}

TEST(Tensor, ShapeStringNamesShapeAndType) {
  Tensor x = Tensor::Of(nullptr, DType::kBF16, 3, 512);
  EXPECT_EQ(x.ShapeString(), "[3, 512] BF16");
  EXPECT_EQ(x.Heads(4).ShapeString(), "[3, 4, 128] BF16");
}

}  // namespace
}  // namespace shoal
