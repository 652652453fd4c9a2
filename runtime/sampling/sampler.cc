#include "runtime/sampling/sampler.h"

#include <algorithm>
#include <limits>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "runtime/base/check.h"
#include "runtime/base/status_macros.h"
#include "runtime/device/cpu/flush_denormals.h"
#include "runtime/sampling/choose_kernels.h"
#include "runtime/sampling/history.h"
#include "runtime/sampling/log.h"
#include "runtime/sampling/logit_kernels.h"
#include "runtime/sampling/logit_row.h"
#include "runtime/sampling/philox.h"
#include "runtime/sampling/ranking.h"

namespace shoal {

struct SamplerScratch::Buffers {
  const LogitKernels& kernels;
  LogitRow row;
  Ranking ranking;
  HistoryPenalties penalties;
  std::vector<float> saved;  // logits of stop tokens
};

SamplerScratch::SamplerScratch(Isa isa) : buffers_(new Buffers{.kernels = KernelsOf(isa)}) {}
SamplerScratch::~SamplerScratch() = default;

namespace {

using Buffers = SamplerScratch::Buffers;

constexpr float kImpossible = -std::numeric_limits<float>::infinity();

// The model's own probabilities, of the row as it came. The logarithm of the sum is by the largest.
double FillTopLogprobs(const SampleInput& input, Buffers& buffers, SampledToken& out) {
  const LogitRow& row = buffers.row;
  Ranking& ranking = buffers.ranking;
  const int32_t wanted = input.options.top_logprobs;
  ranking.Reset(row, {row.max(), static_cast<float>(kLog2E)}, buffers.kernels, std::max(wanted, 1));
  const double log_sum =
      Log(static_cast<double>(ranking.Total()) / static_cast<double>(kUnitWeight));
  std::array<Place, kMaxTopLogprobs> top;
  out.top_count = static_cast<int32_t>(ranking.Top(absl::MakeSpan(top).first(wanted)));
  for (int32_t i = 0; i < out.top_count; ++i) {
    const double logit = LogitAt(top[i]);
    out.top[i] = {IdAt(top[i]), static_cast<float>(logit - row.max() - log_sum)};
  }
  return log_sum;
}

absl::Status CheckPossible(bool numbers, const LogitRow& row, absl::string_view what) {
  if (!numbers) return absl::InternalError(absl::StrCat("a logit is no number after ", what));
  if (row.max() != kImpossible) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat("none of the ", row.size(), " tokens is possible after ", what));
}

// Stop tokens become impossible, unless nothing else is possible.
void BanStops(absl::Span<const TokenId> stops, Buffers& buffers) {
  LogitRow& row = buffers.row;
  const auto known = [&row](TokenId id) { return id >= 0 && static_cast<size_t>(id) < row.size(); };
  buffers.saved.clear();
  for (TokenId id : stops) {
    buffers.saved.push_back(known(id) ? row.Get(id) : kImpossible);
    if (known(id)) row.Set(id, kImpossible);
  }
  row.Refresh(buffers.kernels);
  if (row.max() != kImpossible) return;
  // In reverse, since a stop token that stands twice was saved as impossible the second time.
  for (size_t i = stops.size(); i-- > 0;) {
    if (known(stops[i])) row.Set(stops[i], buffers.saved[i]);
  }
  row.Refresh(buffers.kernels);
}

// Steps 1 to 4.
absl::Status Edit(const SampleInput& input, Buffers& buffers) {
  LogitRow& row = buffers.row;
  for (const LogitBias& bias : input.options.logit_bias) {
    row.Set(bias.id, row.Get(bias.id) + bias.bias);
  }
  buffers.penalties.Apply(input.options, input.prompt, input.output, row);
  RETURN_IF_ERROR(CheckPossible(row.Refresh(buffers.kernels), row, "penalties and bias"));
  if (!input.allowed.empty()) {
    row.Restrict(input.allowed, buffers.kernels);
    RETURN_IF_ERROR(CheckPossible(row.Refresh(buffers.kernels), row, "the constraint"));
  }
  if (static_cast<int64_t>(input.output.size()) < input.options.min_tokens) {
    BanStops(input.stop_tokens, buffers);
  }
  return absl::OkStatus();
}

// Steps 5 to 8: what is left of the ranking, which is reset for it. REQUIRES: not greedy.
Ranking::Prefix Filter(const SamplingOptions& options, Buffers& buffers) {
  Ranking& ranking = buffers.ranking;
  const auto scale = static_cast<float>(kLog2E / options.temperature);
  ranking.Reset(buffers.row, {buffers.row.max(), scale}, buffers.kernels, options.top_k);
  Ranking::Prefix kept;
  Ranking::Limit limit;
  if (options.top_k > 0) {
    limit.count = options.top_k;
    kept = ranking.Cut(limit);
  } else {
    kept = {.count = static_cast<int64_t>(buffers.row.size()), .sum = ranking.Total()};
  }
  if (options.top_p < 1) {
    const double wanted = static_cast<double>(options.top_p) * static_cast<double>(kept.sum);
    const auto whole = static_cast<uint64_t>(wanted);
    // To reach a number is to exceed the greatest integer below it.
    limit.sum_above =
        static_cast<double>(whole) < wanted ? whole : std::max<uint64_t>(whole, 1) - 1;
  }
  if (options.min_p > 0) {
    limit.least_exponent = static_cast<float>(Log(options.min_p) * kLog2E);
  }
  return options.top_p < 1 || options.min_p > 0 ? ranking.Cut(limit) : kept;
}

TokenId Draw(const SampleInput& input, Buffers& buffers) {
  // A denormal temperature equals 0 here.
  if (input.options.temperature == 0) return buffers.row.FirstMax();
  const Ranking::Prefix kept = Filter(input.options, buffers);
  const uint64_t word = RandomWordAt(input.options.seed, input.choice, input.position());
  const auto target = static_cast<uint64_t>(static_cast<unsigned __int128>(word) * kept.sum >> 64);
  return IdAt(buffers.ranking.Cut({.sum_above = target}).last);
}

// Not inlined: the compiler takes no notice of the caller's change of the floating-point mode.
[[gnu::noinline]] absl::StatusOr<SampledToken> SampleFlushed(const SampleInput& input,
                                                             Buffers& buffers) {
  RETURN_IF_ERROR(buffers.row.Reset(input.logits, buffers.kernels));
  SampledToken out;
  const float largest = buffers.row.max();
  double log_sum = 0;
  if (input.options.logprobs) log_sum = FillTopLogprobs(input, buffers, out);
  if (input.forced.has_value()) {
    out.id = *input.forced;
  } else {
    RETURN_IF_ERROR(Edit(input, buffers));
    out.id = Draw(input, buffers);
  }
  CHECK_LT(static_cast<size_t>(out.id), input.logits.size());
  if (input.options.logprobs) {
    const double logit = input.logits[out.id];
    out.logprob = static_cast<float>(logit - largest - log_sum);
  }
  return out;
}

[[gnu::noinline]] absl::StatusOr<std::vector<TokenProbability>> DistributionFlushed(
    const SampleInput& input, Buffers& buffers) {
  if (input.forced.has_value()) return std::vector<TokenProbability>{{*input.forced, 1}};
  LogitRow& row = buffers.row;
  RETURN_IF_ERROR(row.Reset(input.logits, buffers.kernels));
  RETURN_IF_ERROR(Edit(input, buffers));
  if (input.options.temperature == 0) return std::vector<TokenProbability>{{row.FirstMax(), 1}};
  const Ranking::Prefix kept = Filter(input.options, buffers);
  std::vector<Place> places(row.size());
  for (size_t i = 0; i < places.size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    places[i] = PlaceOf(row.Get(id), id);
  }
  std::sort(places.begin(), places.end());
  places.resize(std::min<size_t>(places.size(), kept.count));
  std::vector<uint64_t> weights(places.size());
  buffers.ranking.Weigh(places, absl::MakeSpan(weights));
  std::vector<TokenProbability> out;
  for (size_t i = 0; i < places.size(); ++i) {
    if (weights[i] == 0) continue;
    out.push_back(
        {IdAt(places[i]), static_cast<double>(weights[i]) / static_cast<double>(kept.sum)});
  }
  return out;
}

}  // namespace

absl::StatusOr<SampledToken> Sample(const SampleInput& input, SamplerScratch& scratch) {
  const cpu::FlushDenormals flush;
  return SampleFlushed(input, scratch.buffers());
}

absl::StatusOr<std::vector<TokenProbability>> Distribution(const SampleInput& input,
                                                           SamplerScratch& scratch) {
  const cpu::FlushDenormals flush;
  return DistributionFlushed(input, scratch.buffers());
}

}  // namespace shoal
