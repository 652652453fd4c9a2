#include "runtime/sampling/sampler.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "runtime/base/status_macros.h"
#include "runtime/sampling/exp.h"
#include "runtime/sampling/philox.h"

namespace shoal {
namespace {

absl::Status OutOfBounds(absl::string_view field, float value, absl::string_view bound) {
  return absl::InvalidArgumentError(absl::StrCat(field, " is ", value, ", it must be ", bound));
}

constexpr uint32_t kInfinityBits = 0x7F800000;

bool IsNanOrPositiveInfinity(uint32_t bits) {
  return (bits & 0x7FFFFFFF) > kInfinityBits || bits == kInfinityBits;
}

// A logit as an integer that ascends as the logit descends. Zeros and denormals
// are all +0, whatever the thread's MXCSR says of them.
uint32_t DescendingKey(uint32_t bits) {
  if ((bits & kInfinityBits) == 0) bits = 0;
  return (bits & 0x80000000) ? bits : ~bits & 0x7FFFFFFF;
}

float LogitOfKey(uint32_t key) {
  return std::bit_cast<float>((key & 0x80000000) ? key : ~key & 0x7FFFFFFF);
}

struct Candidate {
  uint32_t key;
  TokenId id;
};

constexpr uint32_t kNegativeInfinityKey = 0xFF800000;

// All tokens but the impossible ones (-inf), in order of id.
absl::StatusOr<std::vector<Candidate>> PossibleTokens(absl::Span<const float> logits) {
  std::vector<Candidate> candidates;
  candidates.reserve(logits.size());
  for (size_t i = 0; i < logits.size(); ++i) {
    const uint32_t bits = std::bit_cast<uint32_t>(logits[i]);
    if (IsNanOrPositiveInfinity(bits)) {
      return absl::InternalError("the model computed a logit that is no number");
    }
    const uint32_t key = DescendingKey(bits);
    if (key == kNegativeInfinityKey) continue;
    candidates.push_back({key, static_cast<TokenId>(i)});
  }
  if (candidates.empty()) {
    return absl::InternalError(absl::StrCat("none of the ", logits.size(), " tokens is possible"));
  }
  return candidates;
}

// By (logit descending, id ascending): a stable radix sort, since a vocabulary
// has 100,000 entries and comparison sorting would take 10 ms of every step.
// REQUIRES: in order of id.
void SortByLogit(std::vector<Candidate>& candidates) {
  std::vector<Candidate> other(candidates.size());
  for (int shift = 0; shift < 32; shift += 8) {
    std::array<size_t, 257> begin = {};
    for (const Candidate& c : candidates) ++begin[((c.key >> shift) & 255) + 1];
    for (size_t i = 1; i < begin.size(); ++i) begin[i] += begin[i - 1];
    for (const Candidate& c : candidates) {
      other[begin[(c.key >> shift) & 255]++] = c;
    }
    candidates.swap(other);
  }
}

// How many of the weights, which descend, the filters leave; at least 1.
size_t CountKept(absl::Span<const float> weights, const SamplingOptions& options) {
  size_t kept = weights.size();
  if (options.top_p < 1) {
    double total = 0;
    for (float w : weights) total += w;
    // The smallest set whose probability reaches top_p.
    const double wanted = static_cast<double>(options.top_p) * total;
    double sum = weights[0];
    for (kept = 1; kept < weights.size() && sum < wanted; ++kept) {
      sum += weights[kept];
    }
  }
  if (options.min_p > 0) {
    const float least = options.min_p * weights[0];
    while (kept > 1 && weights[kept - 1] < least) --kept;
  }
  return kept;
}

// The first index at which the running sum exceeds u times the whole.
size_t Draw(absl::Span<const float> weights, double u) {
  double total = 0;
  for (float w : weights) total += w;
  const double wanted = u * total;
  double sum = 0;
  size_t last_possible = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] == 0) break;  // they descend
    sum += weights[i];
    last_possible = i;
    if (sum > wanted) break;
  }
  return last_possible;
}

}  // namespace

absl::Status Validate(const SamplingOptions& options) {
  if (!(options.temperature >= 0 && options.temperature <= 2)) {
    return OutOfBounds("temperature", options.temperature, "in [0, 2]");
  }
  if (!(options.top_p > 0 && options.top_p <= 1)) {
    return OutOfBounds("top_p", options.top_p, "above 0 and at most 1");
  }
  if (options.top_k < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("top_k is ", options.top_k, ", it must be at least 0 (0 is off)"));
  }
  if (!(options.min_p >= 0 && options.min_p < 1)) {
    return OutOfBounds("min_p", options.min_p, "at least 0 and below 1");
  }
  return absl::OkStatus();
}

absl::StatusOr<TokenId> Sample(absl::Span<const float> logits, const SamplingOptions& options,
                               int32_t choice, int64_t position) {
  ASSIGN_OR_RETURN(std::vector<Candidate> candidates, PossibleTokens(logits));
  if (options.temperature == 0) {
    // min_element returns the first of equals, which has the lowest id.
    return std::min_element(candidates.begin(), candidates.end(),
                            [](Candidate a, Candidate b) { return a.key < b.key; })
        ->id;
  }
  SortByLogit(candidates);
  if (options.top_k > 0 && candidates.size() > static_cast<size_t>(options.top_k)) {
    candidates.resize(options.top_k);
  }
  // Softmax without its denominator. The difference comes before the division,
  // so that no temperature makes it overflow upwards.
  const float largest = LogitOfKey(candidates[0].key);
  std::vector<float> weights(candidates.size());
  for (size_t i = 0; i < weights.size(); ++i) {
    weights[i] = ExpNonPositive((LogitOfKey(candidates[i].key) - largest) / options.temperature);
  }
  const size_t kept = CountKept(weights, options);
  const double u = UniformAt(options.seed, choice, position);
  return candidates[Draw(absl::MakeConstSpan(weights).first(kept), u)].id;
}

}  // namespace shoal
