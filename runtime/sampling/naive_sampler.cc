#include "runtime/sampling/naive_sampler.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <vector>

#include "runtime/device/cpu/flush_denormals.h"
#include "runtime/sampling/log.h"
#include "runtime/sampling/logit_kernels.h"
#include "runtime/sampling/philox.h"

namespace shoal {
namespace {

constexpr float kImpossible = -std::numeric_limits<float>::infinity();

struct Ranked {
  float logit;
  TokenId id;
  uint64_t weight = 0;
};

// The kernels' tests hold the formula of a single weight against the C library's.
uint64_t WeightOf(float logit, float largest, float scale) {
  std::array<float, kBlockLogits> block;
  std::array<uint64_t, kBlockLogits> weight;
  std::array<int32_t, kBlockLogits> bucket;
  block.fill(logit);
  PortableLogitKernels().weigh_block(block.data(), {largest, scale}, weight.data(), bucket.data());
  return weight[0];
}

std::vector<Ranked> Rank(const std::vector<float>& logits, NaiveMistake mistake) {
  std::vector<Ranked> ranked;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] != kImpossible) ranked.push_back({logits[i], static_cast<TokenId>(i)});
  }
  const bool highest = mistake == NaiveMistake::kTiesByHighestId;
  std::stable_sort(ranked.begin(), ranked.end(), [highest](const Ranked& a, const Ranked& b) {
    return a.logit > b.logit || (highest && a.logit == b.logit && a.id > b.id);
  });
  return ranked;
}

uint64_t Weigh(std::vector<Ranked>& ranked, float temperature) {
  const auto scale = static_cast<float>(kLog2E / temperature);
  uint64_t total = 0;
  for (Ranked& r : ranked) total += r.weight = WeightOf(r.logit, ranked[0].logit, scale);
  return total;
}

void AddBias(const SampleInput& input, std::vector<float>& logits) {
  for (const LogitBias& bias : input.options.logit_bias) logits[bias.id] += bias.bias;
}

void Penalize(const SampleInput& input, NaiveMistake mistake, std::vector<float>& logits) {
  const SamplingOptions& o = input.options;
  std::map<TokenId, int> everywhere, output;
  for (TokenId id : input.prompt) ++everywhere[id];
  for (TokenId id : input.output) ++everywhere[id], ++output[id];
  for (const auto& [id, count] : everywhere) {
    const int times = mistake == NaiveMistake::kRepetitionPerOccurrence ? count : 1;
    for (int i = 0; i < times; ++i) {
      logits[id] =
          logits[id] < 0 ? logits[id] * o.repetition_penalty : logits[id] / o.repetition_penalty;
    }
  }
  if (mistake == NaiveMistake::kPenaltiesCountPrompt) output = everywhere;
  for (const auto& [id, count] : output) {
    logits[id] -= o.frequency_penalty * static_cast<float>(count);
    logits[id] -= o.presence_penalty;
  }
}

void Mask(const SampleInput& input, std::vector<float>& logits) {
  for (size_t i = 0; i < logits.size() && !input.allowed.empty(); ++i) {
    if ((input.allowed[i / 64] >> (i % 64) & 1) == 0) logits[i] = kImpossible;
  }
  if (static_cast<int64_t>(input.output.size()) >= input.options.min_tokens) return;
  std::vector<float> banned = logits;
  for (TokenId id : input.stop_tokens) banned[id] = kImpossible;
  if (*std::max_element(banned.begin(), banned.end()) != kImpossible) logits = banned;
}

void TopK(int32_t top_k, std::vector<Ranked>& ranked) {
  if (top_k > 0 && ranked.size() > static_cast<size_t>(top_k)) ranked.resize(top_k);
}

void TopP(float top_p, size_t extra, std::vector<Ranked>& ranked) {
  if (top_p >= 1) return;
  uint64_t total = 0, sum = 0;
  for (const Ranked& r : ranked) total += r.weight;
  const double wanted = static_cast<double>(top_p) * static_cast<double>(total);
  size_t kept = 0;
  while (kept == 0 || static_cast<double>(sum) < wanted) sum += ranked[kept++].weight;
  ranked.resize(std::min(kept + extra, ranked.size()));
}

void MinP(float min_p, float temperature, std::vector<Ranked>& ranked) {
  if (min_p == 0) return;
  const auto scale = static_cast<float>(kLog2E / temperature);
  const auto least = static_cast<float>(Log(min_p) * kLog2E);
  const float largest = ranked[0].logit;
  while ((ranked.back().logit - largest) * scale < least) ranked.pop_back();
}

void Logprobs(const std::vector<float>& logits, NaiveSample& out, const SamplingOptions& options) {
  std::vector<Ranked> ranked = Rank(logits, NaiveMistake::kNone);
  const double largest = ranked[0].logit;
  const double log_sum =
      Log(static_cast<double>(Weigh(ranked, 1)) / static_cast<double>(kUnitWeight));
  const auto logprob = [&](float logit) { return static_cast<float>(logit - largest - log_sum); };
  out.token.logprob = logprob(logits[out.token.id]);
  out.token.top_count = std::min(options.top_logprobs, static_cast<int32_t>(ranked.size()));
  for (int32_t i = 0; i < out.token.top_count; ++i) {
    out.token.top[i] = {ranked[i].id, logprob(ranked[i].logit)};
  }
}

}  // namespace

NaiveSample NaiveSampler(const SampleInput& input) {
  return NaiveSampler(input, NaiveMistake::kNone);
}

NaiveSample NaiveSampler(const SampleInput& input, NaiveMistake mistake) {
  const cpu::FlushDenormals flush;
  const SamplingOptions& o = input.options;
  const std::vector<float> raw(input.logits.begin(), input.logits.end());
  std::vector<float> logits = raw;
  if (mistake != NaiveMistake::kBiasAfterRepetition) AddBias(input, logits);
  Penalize(input, mistake, logits);
  if (mistake == NaiveMistake::kBiasAfterRepetition) AddBias(input, logits);
  Mask(input, logits);

  NaiveSample out;
  std::vector<Ranked> ranked = Rank(logits, mistake);
  if (o.temperature == 0) {
    ranked.resize(1);
    ranked[0].weight = 1;
  } else {
    const float filtered = mistake == NaiveMistake::kTemperatureAfterFilters ? 1 : o.temperature;
    Weigh(ranked, filtered);
    const size_t extra = mistake == NaiveMistake::kTopPOneTooMany ? 1 : 0;
    if (mistake == NaiveMistake::kTopPBeforeTopK) TopP(o.top_p, extra, ranked);
    TopK(o.top_k, ranked);
    TopP(o.top_p, extra, ranked);
    MinP(o.min_p, filtered, ranked);
    Weigh(ranked, o.temperature);
  }
  uint64_t total = 0;
  for (const Ranked& r : ranked) total += r.weight;
  const uint64_t word = RandomWordAt(o.seed, input.choice, input.position());
  const auto target = static_cast<uint64_t>(static_cast<unsigned __int128>(word) * total >> 64);
  uint64_t sum = 0;
  for (size_t i = 0; sum <= target; ++i) {
    out.token.id = ranked[i].id;
    sum += ranked[i].weight;
  }
  for (const Ranked& r : ranked) {
    if (r.weight == 0) continue;
    out.distribution.push_back({r.id, static_cast<double>(r.weight) / static_cast<double>(total)});
  }
  if (input.forced.has_value()) {
    out.token.id = *input.forced;
    out.distribution = {{*input.forced, 1}};
  }
  if (o.logprobs) {
    Logprobs(mistake == NaiveMistake::kLogprobsAfterEdits ? logits : raw, out, o);
  }
  return out;
}

}  // namespace shoal
