// The sampler against its definition (naive_sampler.h): the same token, the same distribution and
// the same logprobs, bit for bit, on every instruction set, over rows of every kind.

#include <algorithm>
#include <limits>
#include <memory>
#include <optional>
#include <random>
#include <vector>

#include "gtest/gtest.h"

#include "runtime/device/cpu/isa.h"
#include "runtime/sampling/naive_sampler.h"
#include "runtime/sampling/sampler.h"

namespace shoal {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr int kTrials = 300;

// A random call, with what it points to.
struct Trial {
  explicit Trial(unsigned seed) : random(seed) {
    constexpr size_t kVocabs[] = {1, 2, 63, 64, 65, 500, 4099, 9001};
    FillLogits(kVocabs[Below(8)]);
    FillOptions();
    FillHistory();
    FillMask();
  }

  SampleInput input() const {
    SampleInput in{.logits = logits, .options = options};
    in.prompt = prompt, in.output = output, in.choice = choice;
    in.stop_tokens = stops, in.allowed = allowed, in.forced = forced;
    return in;
  }

  uint32_t Below(uint32_t n) { return random() % n; }
  float Uniform() { return static_cast<float>(Below(1 << 20)) / (1 << 20); }
  TokenId AnyToken() { return static_cast<TokenId>(Below(static_cast<uint32_t>(logits.size()))); }

  void FillLogits(size_t vocab) {
    const uint32_t kind = Below(6);
    const float spread = kind == 0 ? 0.01f : kind == 1 ? 3 : kind == 2 ? 20 : 8;
    for (size_t i = 0; i < vocab; ++i) {
      float l = spread * (Uniform() + Uniform() + Uniform() - 1.5f);
      if (kind == 3) l = static_cast<float>(Below(7)) - 3;               // ties
      if (kind == 4 && Below(2000) == 0) l += 12;                        // peaks, as a model has
      if (kind == 5) l = Below(9) == 0 ? 0.25f : Below(2) * -0x1p-130f;  // one value and zeros
      logits.push_back(l);
    }
    if (Below(3) == 0) {
      for (size_t i = 1; i < vocab; i += 1 + Below(9)) logits[i] = -kInf;
    }
  }

  void FillOptions() {
    constexpr float kTemperatures[] = {0, 0.05f, 0.6f, 1, 2, 1e-30f};
    options.temperature = kTemperatures[Below(6)];
    if (Below(2) == 0) options.top_p = 1 - Uniform() * Uniform();
    if (Below(3) == 0) options.top_k = static_cast<int32_t>(1 + Below(Below(2) == 0 ? 40 : 9000));
    if (Below(3) == 0) options.min_p = Uniform() * Uniform() * 0.9f;
    options.seed = random();
    if (Below(3) == 0) options.presence_penalty = 4 * Uniform() - 2;
    if (Below(3) == 0) options.frequency_penalty = 4 * Uniform() - 2;
    if (Below(3) == 0) options.repetition_penalty = 0.5f + Uniform();
    if (Below(3) == 0) {
      TokenId id = 0;
      while ((id += static_cast<TokenId>(1 + Below(300))) < static_cast<TokenId>(logits.size())) {
        if (options.logit_bias.size() == kMaxLogitBiases) break;
        options.logit_bias.push_back({id, 20 * Uniform() - 10});
      }
    }
    options.min_tokens = static_cast<int32_t>(Below(30));
    options.logprobs = Below(2) == 0;
    if (options.logprobs) options.top_logprobs = static_cast<int32_t>(Below(21));
  }

  void FillHistory() {
    for (uint32_t n = Below(40); n > 0; --n) prompt.push_back(AnyToken());
    for (uint32_t n = Below(40); n > 0; --n) output.push_back(AnyToken());
    for (uint32_t n = Below(4); n > 0; --n) stops.push_back(AnyToken());
    choice = static_cast<int32_t>(Below(4));
    if (Below(20) == 0) forced = AnyToken();
  }

  void FillMask() {
    const uint32_t kind = Below(4);
    if (kind > 1) return;
    allowed.resize((logits.size() + 63) / 64);
    for (uint64_t& word : allowed) {
      word = kind == 0 ? ~uint64_t{0} : uint64_t{random()} << 32 | random();
      if (kind == 1 && Below(3) != 0) word = 0;
    }
    // Something that the model holds possible.
    const auto best = std::max_element(logits.begin(), logits.end()) - logits.begin();
    allowed[best / 64] |= uint64_t{1} << (best % 64);
  }

  std::mt19937 random;
  std::vector<float> logits;
  SamplingOptions options;
  std::vector<TokenId> prompt, output, stops;
  std::vector<uint64_t> allowed;
  std::optional<TokenId> forced;
  int32_t choice = 0;
};

bool Same(const SampledToken& a, const SampledToken& b) {
  if (a.id != b.id || a.logprob != b.logprob || a.top_count != b.top_count) return false;
  return std::equal(a.top.begin(), a.top.begin() + a.top_count, b.top.begin(),
                    [](const TokenLogprob& x, const TokenLogprob& y) {
                      return x.id == y.id && x.logprob == y.logprob;
                    });
}

bool Same(const std::vector<TokenProbability>& a, const std::vector<TokenProbability>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const TokenProbability& x, const TokenProbability& y) {
                      return x.id == y.id && x.probability == y.probability;
                    });
}

bool Agrees(const SampleInput& input, const NaiveSample& naive, SamplerScratch& scratch) {
  const auto token = Sample(input, scratch);
  const auto distribution = Distribution(input, scratch);
  return token.ok() && distribution.ok() && Same(*token, naive.token) &&
         Same(*distribution, naive.distribution);
}

TEST(ReferenceTest, EqualsTheDefinitionOnEveryInstructionSet) {
  std::vector<std::unique_ptr<SamplerScratch>> scratches;
  for (Isa isa : SupportedIsas()) scratches.push_back(std::make_unique<SamplerScratch>(isa));
  for (unsigned seed = 0; seed < kTrials; ++seed) {
    const Trial trial(seed);
    ASSERT_TRUE(Validate(trial.options, static_cast<int64_t>(trial.logits.size())).ok()) << seed;
    const NaiveSample naive = NaiveSampler(trial.input());
    for (size_t i = 0; i < scratches.size(); ++i) {
      // The same scratch for rows of all lengths: it remembers nothing.
      ASSERT_TRUE(Agrees(trial.input(), naive, *scratches[i]))
          << "seed " << seed << ", " << IsaName(SupportedIsas()[i]);
    }
  }
}

TEST(ReferenceTest, FindsEveryMistake) {
  SamplerScratch scratch;
  for (NaiveMistake mistake :
       {NaiveMistake::kTiesByHighestId, NaiveMistake::kTopPBeforeTopK,
        NaiveMistake::kPenaltiesCountPrompt, NaiveMistake::kRepetitionPerOccurrence,
        NaiveMistake::kBiasAfterRepetition, NaiveMistake::kTemperatureAfterFilters,
        NaiveMistake::kTopPOneTooMany, NaiveMistake::kLogprobsAfterEdits}) {
    bool found = false;
    for (unsigned seed = 0; seed < kTrials && !found; ++seed) {
      const Trial trial(seed);
      found = !Agrees(trial.input(), NaiveSampler(trial.input(), mistake), scratch);
    }
    EXPECT_TRUE(found) << static_cast<int>(mistake);
  }
}

TEST(ReferenceTest, AWholeVocabularyOfEveryShape) {
  constexpr size_t kVocab = 129'280;
  SamplerScratch scratch;
  std::mt19937 random(3);
  std::vector<float> logits(kVocab);
  for (int kind = 0; kind < 4; ++kind) {
    for (size_t i = 0; i < kVocab; ++i) {
      const float u = static_cast<float>(random() % 65'536) / 65'536;
      logits[i] = kind == 0 ? 1.5f : kind == 1 ? u : kind == 2 ? 30 * u * u * u : u * 97;
    }
    for (float top_p : {0.5f, 0.999f}) {
      for (int32_t top_k : {0, 100'000}) {
        SamplingOptions options;
        options.temperature = 1, options.top_p = top_p, options.top_k = top_k;
        options.seed = random(), options.logprobs = true, options.top_logprobs = 20;
        const SampleInput input{.logits = logits, .options = options};
        ASSERT_TRUE(Agrees(input, NaiveSampler(input), scratch))
            << kind << ", top_p " << top_p << ", top_k " << top_k;
      }
    }
  }
}

}  // namespace
}  // namespace shoal
