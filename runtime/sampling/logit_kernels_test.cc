#include "runtime/sampling/logit_kernels.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "gtest/gtest.h"

#include "runtime/device/cpu/flush_denormals.h"
#include "runtime/device/cpu/isa.h"
#include "runtime/sampling/choose_kernels.h"

namespace shoal {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

std::vector<float> RandomLogits(size_t blocks, float deviation, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<float> logits(blocks * kBlockLogits);
  for (float& l : logits) {
    const float sum = static_cast<float>(random() % 4096 + random() % 4096) - 4096;
    l = deviation * sum / 1672;
    if (random() % 50 == 0) l = -kInf;
  }
  return logits;
}

struct Weighed {
  std::array<uint64_t, kBlockLogits> weight;
  std::array<int32_t, kBlockLogits> bucket;
  friend bool operator==(const Weighed&, const Weighed&) = default;
};

Weighed Weigh(const LogitKernels& kernels, const float* block, WeightScale scale) {
  Weighed out;
  kernels.weigh_block(block, scale, out.weight.data(), out.bucket.data());
  return out;
}

TEST(LogitKernelsTest, AllInstructionSetsGiveTheSameBits) {
  const cpu::FlushDenormals flush;
  const size_t blocks = 37;
  const LogitKernels& portable = PortableLogitKernels();
  for (float deviation : {0.01f, 1.0f, 8.0f, 100.0f}) {
    const std::vector<float> logits = RandomLogits(blocks, deviation, 1);
    const float largest = *std::max_element(logits.begin(), logits.end());
    for (Isa isa : SupportedIsas()) {
      const LogitKernels& kernels = KernelsOf(isa);
      std::vector<float> expected(blocks), actual(blocks);
      EXPECT_TRUE(portable.scan(logits.data(), blocks, expected.data()));
      EXPECT_TRUE(kernels.scan(logits.data(), blocks, actual.data()));
      EXPECT_EQ(actual, expected) << IsaName(isa);
      for (float scale : {0.7f, 1.4426950408f, 20.0f, 1e30f}) {
        const WeightScale s{largest, scale};
        for (size_t b = 0; b < blocks; ++b) {
          const float* block = &logits[b * kBlockLogits];
          const Weighed weighed = Weigh(portable, block, s);
          EXPECT_EQ(Weigh(kernels, block, s), weighed) << IsaName(isa);
          uint64_t sum = 0;
          for (uint64_t w : weighed.weight) sum += w;
          EXPECT_EQ(kernels.sum(&block, &actual[b], 1, s), sum) << IsaName(isa);
          for (int32_t bucket : {0, 5, 100, 1472}) {
            const bool any = std::find(weighed.bucket.begin(), weighed.bucket.end(), bucket) !=
                             weighed.bucket.end();
            EXPECT_EQ(kernels.any_in_bucket(block, s, bucket), any) << IsaName(isa);
          }
        }
      }
    }
  }
}

TEST(LogitKernelsTest, WeightsAreThePowersOfTwo) {
  std::vector<float> block(kBlockLogits);
  double worst = 0;
  for (int i = 0; i < 48 * 1000; ++i) {
    const float x = static_cast<float>(-i) / 1000;
    block[i % kBlockLogits] = x;
    const Weighed weighed = Weigh(PortableLogitKernels(), block.data(), {0, 1});
    const double exact = x < -46 ? 0 : std::exp2(static_cast<double>(x));
    const double error =
        std::fabs(static_cast<double>(weighed.weight[i % kBlockLogits]) * 0x1p-44 - exact);
    worst = std::max(worst, (error - 0x1p-45) / std::max(exact, 1e-30));
    const int32_t bucket = x < -46 ? kNoBucket : static_cast<int32_t>(-x * 32);
    EXPECT_EQ(weighed.bucket[i % kBlockLogits], bucket) << x;
  }
  EXPECT_LT(worst, 1.2e-7);  // a float's last place
  block.assign(kBlockLogits, 0);
  EXPECT_EQ(Weigh(PortableLogitKernels(), block.data(), {0, 1}).weight[3], kUnitWeight);
  const std::vector<const float*> blocks(1000, block.data());
  const std::vector<float> max(1000, 0);
  EXPECT_EQ(PortableLogitKernels().sum(blocks.data(), max.data(), 1000, {0, 1}),
            1000 * kBlockLogits * kUnitWeight);
}

TEST(LogitKernelsTest, AMaskTakesWhatItExcludes) {
  std::mt19937_64 random(2);
  const std::vector<float> logits = RandomLogits(1, 3, 8);
  for (Isa isa : SupportedIsas()) {
    for (uint64_t allowed : {uint64_t{0}, ~uint64_t{0}, uint64_t{1} << 63, random(), random()}) {
      std::vector<float> masked = logits;
      KernelsOf(isa).mask_block(masked.data(), allowed);
      for (size_t i = 0; i < kBlockLogits; ++i) {
        EXPECT_EQ(masked[i], (allowed >> i & 1) != 0 ? logits[i] : -kInf) << IsaName(isa);
      }
    }
  }
}

TEST(LogitKernelsTest, NotANumberIsFoundAnywhere) {
  for (Isa isa : SupportedIsas()) {
    const LogitKernels& kernels = KernelsOf(isa);
    std::vector<float> max(2);
    for (float bad : {std::numeric_limits<float>::quiet_NaN(),
                      -std::numeric_limits<float>::quiet_NaN(), kInf}) {
      for (size_t i = 0; i < 2 * kBlockLogits; ++i) {
        std::vector<float> logits(2 * kBlockLogits, 1.5f);
        EXPECT_TRUE(kernels.scan(logits.data(), 2, max.data()));
        logits[i] = bad;
        EXPECT_FALSE(kernels.scan(logits.data(), 2, max.data())) << IsaName(isa) << " " << i;
      }
    }
  }
}

}  // namespace
}  // namespace shoal
