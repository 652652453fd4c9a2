#include "runtime/model/random_weights.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "gtest/gtest.h"

#include "runtime/tensor/dtype.h"
#include "runtime/weights/tensor_table.h"

namespace shoal {
namespace {

TensorTable Table() {
  TensorTable table = {
      {"a.weight", {130, 385}, {DType::kF8E4M3}, TensorSpec::Use::kMatrix},
      {"a.weight_scale_inv", {2, 4}, {DType::kF32}, TensorSpec::Use::kScale},
      {"b.weight", {67, 301}, {DType::kBF16}, TensorSpec::Use::kMatrix},
      {"copy.weight", {67, 301}, {DType::kBF16}, TensorSpec::Use::kMatrix},
      {"norm.weight", {77}, {DType::kBF16, DType::kF32}, TensorSpec::Use::kVector},
      {"mlp.gate.e_score_correction_bias", {9}, {DType::kF32}, TensorSpec::Use::kVector}};
  table[3].copy_of = "b.weight";
  return table;
}

template <typename T>
std::vector<T> Values(const TensorTable& table, size_t i, uint64_t seed) {
  std::vector<T> values(static_cast<size_t>(table[i].elements()));
  RandomWeights(table, seed)
      .Fill(table[i].name, 0,
            {reinterpret_cast<std::byte*>(values.data()), values.size() * sizeof(T)});
  return values;
}

struct Moments {
  double mean = 0, variance = 0;
};
Moments MomentsOf(const std::vector<double>& values) {
  Moments m;
  for (const double v : values) m.mean += v / values.size();
  for (const double v : values) m.variance += (v - m.mean) * (v - m.mean) / values.size();
  return m;
}

TEST(RandomWeights, AnyPartIsThatPartOfTheWhole) {
  const TensorTable table = Table();
  const RandomWeights weights(table, 5);
  for (const TensorSpec& spec : table) {
    std::vector<std::byte> whole(static_cast<size_t>(spec.elements()) *
                                 SizeOf(spec.dtypes.front()));
    weights.Fill(spec.name, 0, absl::MakeSpan(whole));
    std::vector<std::byte> parts(whole.size());
    for (size_t at = 0; at < parts.size(); at += 96) {
      weights.Fill(spec.name, at, absl::MakeSpan(parts).subspan(at, 96));
    }
    EXPECT_EQ(parts, whole) << spec.name;
  }
}

TEST(RandomWeights, BytesAreTheseOnEveryMachine) {
  const TensorTable table = Table();
  const auto first = [&](size_t i, uint64_t seed) {
    std::vector<std::byte> bytes(4);
    RandomWeights(table, seed).Fill(table[i].name, 0, absl::MakeSpan(bytes));
    uint32_t word;
    std::memcpy(&word, bytes.data(), 4);
    return word;
  };
  EXPECT_EQ(first(0, 1), 4176865786u);
  EXPECT_EQ(first(1, 1), 962569128u);
  EXPECT_EQ(first(2, 1), 3183951283u);
  EXPECT_EQ(first(5, 1), 3161803981u);
  EXPECT_EQ(first(3, 1), first(2, 1));  // a copy
  EXPECT_NE(first(0, 1), first(0, 2));
}

// W x keeps the variance of x.
TEST(RandomWeights, MatricesKeepTheSizeOfWhatTheyMultiply) {
  const TensorTable table = Table();
  std::vector<double> b;
  for (const BF16 v : Values<BF16>(table, 2, 3)) b.push_back(v.ToFloat());
  EXPECT_NEAR(MomentsOf(b).variance * 301, 1, 0.03);
  EXPECT_NEAR(MomentsOf(b).mean * std::sqrt(301), 0, 0.03);

  const std::vector<F8E4M3> codes = Values<F8E4M3>(table, 0, 3);
  const std::vector<float> scales = Values<float>(table, 1, 3);
  std::vector<double> a;
  float largest = 0;
  for (int64_t r = 0; r < 130; ++r) {
    for (int64_t c = 0; c < 385; ++c) {
      const float code = codes[r * 385 + c].ToFloat();
      ASSERT_TRUE(std::isfinite(code));
      largest = std::max(largest, std::abs(code));
      a.push_back(code * scales[r / 128 * 4 + c / 128]);
    }
  }
  EXPECT_EQ(largest, 448);                           // a block uses the whole range
  EXPECT_NEAR(MomentsOf(a).variance * 385, 1, 0.3);  // eight blocks, each with a scale of its own
  EXPECT_NEAR(MomentsOf(a).mean * std::sqrt(385), 0, 0.03);
}

TEST(RandomWeights, VectorsAreInRange) {
  const TensorTable table = Table();
  for (const BF16 v : Values<BF16>(table, 4, 3)) EXPECT_LE(std::abs(v.ToFloat() - 1), 0.25f);
  for (const float v : Values<float>(table, 5, 3)) EXPECT_LE(std::abs(v), 0.05f);
}

}  // namespace
}  // namespace shoal
