#include "runtime/weights/quantize.h"

#include <cmath>
#include <cstdint>

#include "gtest/gtest.h"

#include "runtime/weights/absorb.h"

namespace shoal {
namespace {

// Pseudo-random values of very different size per block.
std::vector<BF16> Values(int64_t rows, int64_t cols) {
  std::vector<BF16> out;
  uint32_t state = 7;
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < cols; ++c) {
      state = state * 1664525u + 1013904223u;
      const float u = static_cast<float>(static_cast<int32_t>(state)) * 0x1p-31f;
      out.push_back(
          BF16::FromFloat(std::ldexp(u, static_cast<int>(3 * (c / 128) - 5 * (r / 128)))));
    }
  }
  return out;
}

TEST(QuantizeFp8, EachBlockHasItsScale) {
  const int64_t rows = 130, cols = 257;
  const std::vector<BF16> w = Values(rows, cols);
  const Fp8Matrix q = QuantizeFp8(w, rows, cols);
  ASSERT_EQ(q.scales.size(), 2u * 3u);
  for (int64_t br = 0; br < 2; ++br) {
    for (int64_t bc = 0; bc < 3; ++bc) {
      float amax = 0;
      for (int64_t r = br * 128; r < std::min(rows, br * 128 + 128); ++r) {
        for (int64_t c = bc * 128; c < std::min(cols, bc * 128 + 128); ++c) {
          const float v = w[r * cols + c].ToFloat(), scale = q.scales[br * 3 + bc];
          amax = std::max(amax, std::fabs(v));
          // Half a step: 2^-4 of the value, or of the smallest normal one.
          const float error = std::fabs(q.data[r * cols + c].ToFloat() * scale - v);
          EXPECT_LE(error, std::max(std::fabs(v), 0x1p-6f * scale) * 0x1.01p-4f);
        }
      }
      EXPECT_EQ(q.scales[br * 3 + bc], amax / 448);
    }
  }
}

TEST(QuantizeFp8, LargestValueIsHit) {
  const Fp8Matrix q = QuantizeFp8({{BF16::FromFloat(-3.5f), BF16::FromFloat(1)}}, 1, 2);
  EXPECT_EQ(q.data[0].ToFloat(), -448);
  EXPECT_EQ(q.data[1].ToFloat(), 128);
}

TEST(QuantizeFp8, ZerosHaveScaleOne) {
  const Fp8Matrix q = QuantizeFp8(std::vector<BF16>(5), 5, 1);
  EXPECT_EQ(q.scales, std::vector<float>{1});
  for (const F8E4M3 v : q.data) EXPECT_EQ(v.bits, 0);
}

TEST(Absorb, Fp8BecomesBf16WithOneRounding) {
  const int64_t rows = 130, cols = 129;
  const Fp8Matrix q = QuantizeFp8(Values(rows, cols), rows, cols);
  std::vector<F8E4M3> data = q.data;
  const std::vector<BF16> out =
      ToBf16(Tensor::Of(data.data(), DType::kF8E4M3, rows, cols), q.scales);
  for (const auto& [r, c] : {std::pair{0, 0}, {127, 128}, {128, 127}, {129, 128}}) {
    const float scale = q.scales[static_cast<size_t>(r / 128 * 2 + c / 128)];
    EXPECT_EQ(out[r * cols + c], BF16::FromFloat(q.data[r * cols + c].ToFloat() * scale));
  }
}

TEST(Absorb, TransposesAndWidens) {
  std::vector<BF16> m;
  for (int i = 0; i < 6; ++i) m.push_back(BF16::FromFloat(static_cast<float>(i)));
  const std::vector<BF16> t = Transposed(m.data(), 2, 3);
  const std::vector<float> wide =
      ToFloats(Tensor::Of(const_cast<BF16*>(t.data()), DType::kBF16, 3, 2));
  EXPECT_EQ(wide, (std::vector<float>{0, 3, 1, 4, 2, 5}));
}

}  // namespace
}  // namespace shoal
