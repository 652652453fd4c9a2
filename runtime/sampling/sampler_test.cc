#include "runtime/sampling/sampler.h"

#include <xmmintrin.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace shoal {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

using Logits = std::vector<float>;

absl::StatusOr<TokenId> IdOf(const SampleInput& input) {
  SamplerScratch scratch;
  const auto token = Sample(input, scratch);
  if (!token.ok()) return token.status();
  return token->id;
}

// The token of a sequence of `position` tokens.
absl::StatusOr<TokenId> IdOf(const Logits& logits, const SamplingOptions& options, int position) {
  const std::vector<TokenId> prompt(position);
  return IdOf({.logits = logits, .options = options, .prompt = prompt});
}

TEST(SampleTest, GreedyTakesTheLargestAndTheLowestIdOfEquals) {
  const SamplingOptions greedy;
  EXPECT_EQ(*IdOf({1, 5, 3}, greedy, 0), 1);
  EXPECT_EQ(*IdOf({-1, 5, 3, 5}, greedy, 0), 1);
  EXPECT_EQ(*IdOf({-kInf, -3, -2}, greedy, 0), 2);
  // Zeros of either sign and denormals are equal, under any MXCSR; so is a denormal temperature.
  EXPECT_EQ(*IdOf({-1, -0.0f, 0.0f, 1e-40f}, greedy, 0), 1);
  EXPECT_EQ(*IdOf({-1, -0.0f, 0.0f, 1e-40f}, {.temperature = 1e-40f}, 0), 1);
  // In any block, the last and partial one too.
  for (size_t i = 0; i < 200; ++i) {
    Logits logits(200, -4);
    logits[i] = -3;
    EXPECT_EQ(*IdOf(logits, greedy, 0), static_cast<TokenId>(i));
  }
}

TEST(SampleTest, NotANumberIsAnError) {
  for (float temperature : {0.0f, 1.0f}) {
    const SamplingOptions options{.temperature = temperature};
    for (const Logits& bad : {Logits{1, kNaN}, {1, -kNaN}, {kInf, 1}, {-kInf, -kInf}, {}}) {
      EXPECT_TRUE(absl::IsInternal(IdOf(bad, options, 0).status()));
    }
    Logits one(1000, 0.5f);
    one[700] = kNaN;
    EXPECT_TRUE(absl::IsInternal(IdOf(one, options, 0).status()));
    EXPECT_TRUE(absl::IsInternal(IdOf({.logits = one, .options = options, .forced = 3}).status()));
  }
  // A penalty that leaves the range of a float.
  const Logits huge = {3e38f, 1};
  const std::vector<TokenId> prompt = {0};
  const SamplingOptions options{.repetition_penalty = 0.5f};
  EXPECT_TRUE(
      absl::IsInternal(IdOf({.logits = huge, .options = options, .prompt = prompt}).status()));
}

// How often each token comes at `count` positions.
std::vector<int> Histogram(absl::Span<const float> logits, const SamplingOptions& options,
                           int count) {
  std::vector<int> seen(logits.size());
  const std::vector<TokenId> prompt(count);
  SamplerScratch scratch;
  for (int p = 0; p < count; ++p) {
    const SampleInput input{
        .logits = logits, .options = options, .prompt = absl::MakeConstSpan(prompt).first(p)};
    ++seen[Sample(input, scratch)->id];
  }
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
    EXPECT_EQ(*IdOf(logits, {.temperature = 1e-30f}, p), 0);
    EXPECT_EQ(*IdOf(logits, {.temperature = 1}, p), 0);
  }
}

TEST(SampleTest, TheSameUnderAnyTreatmentOfDenormals) {
  std::mt19937 random(4);
  std::vector<float> logits(300);
  for (int p = 0; p < 200; ++p) {
    // Tiny logits: their differences are denormal.
    for (float& l : logits) l = static_cast<float>(random() % 1000) * 0x1p-130f;
    const SamplingOptions options{.temperature = 0.01f, .top_k = 40, .seed = 8};
    const TokenId kept = *IdOf(logits, options, p);
    const unsigned mxcsr = _mm_getcsr();
    _mm_setcsr(mxcsr | 0x8040);  // flush to zero, denormals are zero
    const TokenId flushed = *IdOf(logits, options, p);
    _mm_setcsr(mxcsr);
    EXPECT_EQ(kept, flushed);
  }
}

TEST(SampleTest, SeedChoiceAndPositionAllMatter) {
  const Logits logits(1000, 1);
  const std::vector<TokenId> prompt = {1, 2, 3}, output = {4};
  SamplingOptions options{.temperature = 1, .seed = 5};
  const auto id = [&](int32_t choice, absl::Span<const TokenId> out) {
    return *IdOf(
        {.logits = logits, .options = options, .prompt = prompt, .output = out, .choice = choice});
  };
  const TokenId first = id(0, output);
  EXPECT_EQ(id(0, output), first);
  EXPECT_NE(id(1, output), first);
  EXPECT_NE(id(0, {}), first);
  options.seed = 6;
  EXPECT_NE(id(0, output), first);
}

TEST(SampleTest, PenaltiesCountWhatTheyShould) {
  const Logits logits = {4, 3, 2};
  const std::vector<TokenId> prompt = {0, 0}, output = {1};
  const auto id = [&](const SamplingOptions& options) {
    return *IdOf({.logits = logits, .options = options, .prompt = prompt, .output = output});
  };
  EXPECT_EQ(id({}), 0);
  // OpenAI's do not see the prompt.
  EXPECT_EQ(id({.presence_penalty = 2}), 0);
  EXPECT_EQ(id({.frequency_penalty = 2}), 0);
  EXPECT_EQ(id({.presence_penalty = -1.5f}), 1);
  // Hugging Face's does: 4 / 3 and 3 / 3 are below 2.
  EXPECT_EQ(id({.repetition_penalty = 3}), 2);
  EXPECT_EQ(id({.logit_bias = {{2, 2.5f}}}), 2);
}

TEST(SampleTest, TheMaskMinTokensAndForcedTokens) {
  Logits logits(100, 0);
  logits[99] = 9, logits[70] = 8, logits[3] = 7;
  std::vector<uint64_t> allowed = {~uint64_t{0}, ~uint64_t{0}};  // also beyond the vocabulary
  const SamplingOptions options{.min_tokens = 2};
  const std::vector<TokenId> stops = {99, 99, -1, 1000}, output = {1, 1};
  SampleInput input{.logits = logits, .options = options, .stop_tokens = stops, .allowed = allowed};
  EXPECT_EQ(*IdOf(input), 70);
  allowed[1] = uint64_t{1} << (99 - 64);
  EXPECT_EQ(*IdOf(input), 3);
  // The constraint is at its end: it outranks min_tokens.
  allowed[0] = 0;
  EXPECT_EQ(*IdOf(input), 99);
  allowed[1] = 0;
  EXPECT_TRUE(absl::IsInternal(IdOf(input).status()));
  input.forced = 42;
  EXPECT_EQ(*IdOf(input), 42);
  input.forced.reset();
  input.allowed = {};
  input.output = output;
  EXPECT_EQ(*IdOf(input), 99);
}

TEST(SampleTest, LogprobsAreTheModelsOwn) {
  std::mt19937 random(6);
  Logits logits(777);
  for (float& l : logits) l = static_cast<float>(random() % 4096) / 256 - 8;
  logits[5] = -kInf;
  double total = 0;
  for (float l : logits) total += std::exp(static_cast<double>(l));
  const auto expected = [&](TokenId id) { return logits[id] - std::log(total); };
  const std::vector<TokenId> output = {1, 2, 3};
  SamplingOptions options{.temperature = 1.5f,
                          .top_p = 0.9f,
                          .frequency_penalty = 1,
                          .logit_bias = {{9, 10}},
                          .logprobs = true,
                          .top_logprobs = 20};
  SampleInput input{.logits = logits, .options = options, .output = output};
  SamplerScratch scratch;
  auto token = *Sample(input, scratch);
  EXPECT_NEAR(token.logprob, expected(token.id), 1e-6 * 20);
  ASSERT_EQ(token.top_count, 20);
  for (int i = 0; i < 20; ++i) {
    EXPECT_NEAR(token.top[i].logprob, expected(token.top[i].id), 1e-6 * 20);
    if (i == 0) continue;
    EXPECT_LE(token.top[i].logprob, token.top[i - 1].logprob);
    if (token.top[i].logprob == token.top[i - 1].logprob) {
      EXPECT_GT(token.top[i].id, token.top[i - 1].id);
    }
  }
  input.forced = 5;
  EXPECT_EQ(Sample(input, scratch)->logprob, -kInf);
  // Fewer than asked for: the others are impossible.
  const Logits three = {1, -kInf, 1, -60};
  token = *Sample({.logits = three, .options = {.logprobs = true, .top_logprobs = 5}}, scratch);
  ASSERT_EQ(token.top_count, 3);
  EXPECT_EQ(token.top[0].id, 0);
  EXPECT_NEAR(token.top[1].logprob, -std::log(2.0), 1e-6);
  EXPECT_NEAR(token.top[2].logprob, -61 - std::log(2.0), 1e-5);
}

}  // namespace
}  // namespace shoal
