#ifndef SHOAL_RUNTIME_SAMPLING_RANKING_H_
#define SHOAL_RUNTIME_SAMPLING_RANKING_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "absl/types/span.h"

#include "runtime/base/token_id.h"
#include "runtime/sampling/logit_kernels.h"
#include "runtime/sampling/logit_row.h"

namespace shoal {

// A token's place in the sampler's order, logit descending, then id ascending: the smaller comes
// first. The logit's bits, turned so that they ascend as it descends, stand above the id.
using Place = uint64_t;
Place PlaceOf(float logit, TokenId id);
inline TokenId IdAt(Place place) { return static_cast<TokenId>(place & 0xFFFFFFFF); }
float LogitAt(Place place);

// A row's tokens in the sampler's order (rule N10), sorted no further than the questions need.
// First a head: the tokens with at least 2^-10 of the largest weight, if they are few. What lies
// beyond it is found by a histogram over the exponents, of which one bucket is then sorted. Weights
// are integers (logit_kernels.h), so the answers equal those of the row sorted in its entirety.
//
// Owns its memory from one Reset to the next. Thread-compatible.
class Ranking {
 public:
  // Where a prefix of the order ends: after the first token at which the weights so far exceed
  // `sum_above`, or at which `count` are reached, or before the first whose exponent
  // (WeightScale) is below `least_exponent`; but it has one token at least.
  struct Limit {
    uint64_t sum_above = std::numeric_limits<uint64_t>::max();
    int64_t count = std::numeric_limits<int64_t>::max();
    float least_exponent = -std::numeric_limits<float>::infinity();
  };
  struct Prefix {
    int64_t count = 0;  // tokens beyond kLeastExponent, which weigh nothing, may be left out
    uint64_t sum = 0;
    Place last = 0;  // the last token, where `sum_above` or `count` ended it
  };

  // `row` is fresh and stays as it is until the next Reset. `likely_count`: how many tokens the
  // questions will be about, if known, otherwise 0.
  void Reset(const LogitRow& row, WeightScale scale, const LogitKernels& kernels,
             int64_t likely_count);

  // Of all weights.
  uint64_t Total();
  Prefix Cut(const Limit& limit);
  // Fills `top` with the first tokens of the order, less the impossible ones; returns how many.
  size_t Top(absl::Span<Place> top);
  // The weights of `places`.
  void Weigh(absl::Span<const Place> places, absl::Span<uint64_t> weights) const;

 private:
  void GatherHead(float least_exponent);
  void BuildHistogram();
  void GatherBucket(int bucket);
  void Sort(std::vector<Place>& places);
  // Goes through `places`, which follow `so_far` in the order. True if the limit ends there.
  bool Advance(absl::Span<const Place> places, const Limit& limit, Prefix& so_far) const;

  const LogitRow* row_ = nullptr;
  const LogitKernels* kernels_ = nullptr;
  WeightScale scale_;
  bool has_total_ = false, has_head_ = false, has_histogram_ = false;
  uint64_t total_ = 0;
  float head_exponent_ = 0;  // all tokens at or above it are in the head
  std::vector<Place> head_;
  // The last is kNoBucket's: counting it is cheaper than a branch.
  std::array<uint64_t, kBuckets + 1> bucket_sum_;
  std::array<uint32_t, kBuckets + 1> bucket_count_;
  int bucket_ = kNoBucket;  // the one in bucket_places_
  std::vector<Place> bucket_places_, sorted_;
  std::vector<float> maxima_;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_SAMPLING_RANKING_H_
