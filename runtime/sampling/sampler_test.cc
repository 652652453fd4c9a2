#include "runtime/sampling/sampler.h"

#include <xmmintrin.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "gtest/gtest.h"

#include "runtime/sampling/exp.h"
#include "runtime/sampling/philox.h"

namespace shoal {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

TEST(ValidateTest, NamesTheFieldAndTheBound) {
  EXPECT_TRUE(Validate({}).ok());
  EXPECT_TRUE(Validate({.temperature = 2, .top_p = 0.5, .top_k = 3, .min_p = 0.1}).ok());
  const auto refused = [](const SamplingOptions& options, absl::string_view field) {
    const absl::Status status = Validate(options);
    return absl::IsInvalidArgument(status) && status.message().find(field) == 0;
  };
  for (float bad : {kNaN, kInf, -kInf, -0.5f}) {
    EXPECT_TRUE(refused({.temperature = bad}, "temperature")) << bad;
    EXPECT_TRUE(refused({.top_p = bad}, "top_p")) << bad;
    EXPECT_TRUE(refused({.min_p = bad}, "min_p")) << bad;
  }
  EXPECT_TRUE(refused({.temperature = 2.5}, "temperature"));
  EXPECT_TRUE(refused({.top_p = 0}, "top_p"));
  EXPECT_TRUE(refused({.top_p = 1.5}, "top_p"));
  EXPECT_TRUE(refused({.min_p = 1}, "min_p"));
  EXPECT_TRUE(refused({.top_k = -1}, "top_k"));
}

TEST(SampleTest, GreedyTakesTheLargestAndTheLowestIdOfEquals) {
  const SamplingOptions greedy;
  EXPECT_EQ(*Sample({1, 5, 3}, greedy, 0, 0), 1);
  EXPECT_EQ(*Sample({-1, 5, 3, 5}, greedy, 0, 0), 1);
  EXPECT_EQ(*Sample({-kInf, -3, -2}, greedy, 0, 0), 2);
  // Zeros of either sign and denormals are equal, under any MXCSR.
  EXPECT_EQ(*Sample({-1, -0.0f, 0.0f, 1e-40f}, greedy, 0, 0), 1);
}

TEST(SampleTest, NotANumberIsAnError) {
  for (float temperature : {0.0f, 1.0f}) {
    const SamplingOptions options{.temperature = temperature};
    EXPECT_TRUE(absl::IsInternal(Sample({1, kNaN}, options, 0, 0).status()));
    EXPECT_TRUE(absl::IsInternal(Sample({1, -kNaN}, options, 0, 0).status()));
    EXPECT_TRUE(absl::IsInternal(Sample({kInf, 1}, options, 0, 0).status()));
    EXPECT_TRUE(absl::IsInternal(Sample({-kInf, -kInf}, options, 0, 0).status()));
  }
}

// How often each token comes at `count` positions.
std::vector<int> Histogram(absl::Span<const float> logits, const SamplingOptions& options,
                           int count) {
  std::vector<int> seen(logits.size());
  for (int p = 0; p < count; ++p) ++seen[*Sample(logits, options, 0, p)];
  return seen;
}

// Pearson's statistic against the softmax at `temperature` over `kept` tokens.
double ChiSquare(absl::Span<const int> seen, absl::Span<const float> logits,
                 const std::vector<int>& kept, double temperature) {
  double total = 0, statistic = 0;
  int count = 0;
  for (int id : kept) total += std::exp(logits[id] / temperature);
  for (int n : seen) count += n;
  for (int id : kept) {
    const double expected = count * std::exp(logits[id] / temperature) / total;
    statistic += (seen[id] - expected) * (seen[id] - expected) / expected;
  }
  return statistic;
}

TEST(SampleTest, FollowsTheSoftmax) {
  const std::vector<float> logits = {0.5f, -1, 2, 0, 1.5f, -0.5f, 1, -2};
  const std::vector<int> all = {0, 1, 2, 3, 4, 5, 6, 7};
  for (float temperature : {0.5f, 1.0f, 3.0f}) {
    const SamplingOptions options{.temperature = temperature, .seed = 42};
    const std::vector<int> seen = Histogram(logits, options, 100'000);
    // 7 degrees of freedom: 24.3 is exceeded once in 1,000 seeds.
    EXPECT_LT(ChiSquare(seen, logits, all, temperature), 24.3);
    // The test can fail: another temperature does not fit.
    EXPECT_GT(ChiSquare(seen, logits, all, temperature * 1.1), 24.3);
  }
}

TEST(SampleTest, TopKKeepsTheLargest) {
  const std::vector<float> logits = {0.5f, -1, 2, 0.5f, 1.5f};
  // Third place is a tie of 0 and 3: the lower id is in.
  const std::vector<int> seen =
      Histogram(logits, {.temperature = 1, .top_k = 3, .seed = 1}, 20'000);
  EXPECT_EQ(seen[1], 0);
  EXPECT_EQ(seen[3], 0);
  EXPECT_LT(ChiSquare(seen, logits, {0, 2, 4}, 1), 13.8);
}

TEST(SampleTest, TopPKeepsTheSmallestSetThatReachesIt) {
  // Probabilities 0.5, 0.25, 0.125, 0.125.
  const float ln2 = std::log(2.0f);
  const std::vector<float> logits = {0, 2 * ln2, ln2, 0};
  const auto kept = [&](float top_p, int top_k = 0) {
    const std::vector<int> seen =
        Histogram(logits, {.temperature = 1, .top_p = top_p, .top_k = top_k, .seed = 5}, 2'000);
    return std::vector<bool>(seen.begin(), seen.end());
  };
  EXPECT_EQ(kept(0.45f), (std::vector<bool>{0, 1, 0, 0}));
  EXPECT_EQ(kept(0.6f), (std::vector<bool>{0, 1, 1, 0}));
  EXPECT_EQ(kept(0.8f), (std::vector<bool>{1, 1, 1, 0}));
  EXPECT_EQ(kept(0.99f), (std::vector<bool>{1, 1, 1, 1}));
  EXPECT_EQ(kept(1e-6f), (std::vector<bool>{0, 1, 0, 0}));
  // top_p looks at what top_k left: of two, the first has 2/3.
  EXPECT_EQ(kept(0.6f, 2), (std::vector<bool>{0, 1, 0, 0}));
}

TEST(SampleTest, MinPIsRelativeToTheLargest) {
  const float ln2 = std::log(2.0f);
  const std::vector<float> logits = {0, 2.1f * ln2, ln2, -ln2};
  const std::vector<int> seen =
      Histogram(logits, {.temperature = 1, .min_p = 0.4f, .seed = 5}, 2'000);
  EXPECT_EQ(seen[0], 0);
  EXPECT_GT(seen[1], 0);
  EXPECT_GT(seen[2], 0);
  EXPECT_EQ(seen[3], 0);
}

TEST(SampleTest, ExtremeTemperatures) {
  const std::vector<float> logits = {1e38f, -1e38f, 9e37f};
  for (int p = 0; p < 100; ++p) {
    EXPECT_EQ(*Sample(logits, {.temperature = 1e-30f}, 0, p), 0);
    EXPECT_EQ(*Sample(logits, {.temperature = 1}, 0, p), 0);
  }
}

TEST(SampleTest, TheSameUnderAnyTreatmentOfDenormals) {
  std::mt19937 random(4);
  std::vector<float> logits(300);
  for (int p = 0; p < 200; ++p) {
    // Tiny logits: their differences are denormal.
    for (float& l : logits) l = static_cast<float>(random() % 1000) * 0x1p-130f;
    const SamplingOptions options{.temperature = 0.01f, .top_k = 40, .seed = 8};
    const TokenId kept = *Sample(logits, options, 0, p);
    const unsigned mxcsr = _mm_getcsr();
    _mm_setcsr(mxcsr | 0x8040);  // flush to zero, denormals are zero
    const TokenId flushed = *Sample(logits, options, 0, p);
    _mm_setcsr(mxcsr);
    EXPECT_EQ(kept, flushed);
  }
}

TEST(SampleTest, OneOrderForAnyVocabulary) {
  // Against a comparison sort, over a vocabulary with many ties.
  std::mt19937 random(3);
  std::vector<float> logits(129'281);
  for (float& l : logits) l = static_cast<float>(random() % 97) / 8 - 6;
  std::vector<int> order(logits.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int>(i);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return logits[a] > logits[b]; });
  for (int p = 0; p < 5; ++p) {
    // The sampler's definition, word for word.
    const double u = UniformAt(9, 2, p);
    double total = 0, sum = 0;
    for (int id : order) total += ExpNonPositive(logits[id] - logits[order[0]]);
    int expected = -1;
    for (int id : order) {
      sum += ExpNonPositive(logits[id] - logits[order[0]]);
      expected = id;
      if (sum > u * total) break;
    }
    EXPECT_EQ(*Sample(logits, {.temperature = 1, .seed = 9}, 2, p), expected);
  }
}

}  // namespace
}  // namespace shoal
