#include "runtime/sampling/ranking.h"

#include <algorithm>
#include <bit>

namespace shoal {
namespace {

constexpr float kHeadExponent = -10;
constexpr size_t kHeadTokens = 4096;  // a head with more than these is no help
constexpr size_t kComparisonSorted = 2048;

int BucketOf(float exponent) {
  if (!(exponent >= kLeastExponent)) return kNoBucket;
  return static_cast<int>(exponent * -static_cast<float>(kBucketsPerBit));
}

}  // namespace

Place PlaceOf(float logit, TokenId id) {
  auto bits = std::bit_cast<uint32_t>(logit);
  if ((bits & 0x7F800000) == 0) bits = 0;  // zeros of either sign and denormals are +0
  const uint32_t key = (bits & 0x80000000) != 0 ? bits : ~bits & 0x7FFFFFFF;
  return uint64_t{key} << 32 | static_cast<uint32_t>(id);
}

float LogitAt(Place place) {
  const auto key = static_cast<uint32_t>(place >> 32);
  return std::bit_cast<float>((key & 0x80000000) != 0 ? key : ~key & 0x7FFFFFFF);
}

void Ranking::Reset(const LogitRow& row, WeightScale scale, const LogitKernels& kernels,
                    int64_t likely_count) {
  row_ = &row;
  kernels_ = &kernels;
  scale_ = scale;
  has_total_ = has_histogram_ = false;
  bucket_ = kNoBucket;
  head_.reserve(kHeadTokens + kBlockLogits);
  bucket_places_.reserve(row.size());
  sorted_.reserve(row.size());
  maxima_.reserve(row.block_max().size());
  float least = kHeadExponent;
  const auto blocks = static_cast<int64_t>(row.block_max().size());
  if (likely_count > 0 && likely_count <= blocks) {
    // As many blocks have a token at or above the count-th largest maximum.
    maxima_.assign(row.block_max().begin(), row.block_max().end());
    std::nth_element(maxima_.begin(), maxima_.begin() + (likely_count - 1), maxima_.end(),
                     [](float a, float b) { return a > b; });
    least = scale.ExponentOf(maxima_[likely_count - 1]);
  }
  GatherHead(std::max(least, kLeastExponent));
}

void Ranking::GatherHead(float least_exponent) {
  head_.clear();
  head_exponent_ = least_exponent;
  has_head_ = true;
  for (size_t b = 0; b < row_->blocks().size(); ++b) {
    if (!(scale_.ExponentOf(row_->block_max()[b]) >= least_exponent)) continue;
    const float* block = row_->blocks()[b];
    for (size_t i = 0; i < kBlockLogits; ++i) {
      if (!(scale_.ExponentOf(block[i]) >= least_exponent)) continue;
      head_.push_back(PlaceOf(block[i], static_cast<TokenId>(b * kBlockLogits + i)));
    }
    if (head_.size() > kHeadTokens) {
      has_head_ = false;
      return;
    }
  }
  Sort(head_);
}

uint64_t Ranking::Total() {
  if (has_total_) return total_;
  total_ =
      kernels_->sum(row_->blocks().data(), row_->block_max().data(), row_->blocks().size(), scale_);
  has_total_ = true;
  return total_;
}

void Ranking::Weigh(absl::Span<const Place> places, absl::Span<uint64_t> weights) const {
  std::array<float, kBlockLogits> block = {};
  std::array<uint64_t, kBlockLogits> weight;
  std::array<int32_t, kBlockLogits> bucket;
  for (size_t begin = 0; begin < places.size(); begin += kBlockLogits) {
    const size_t size = std::min(kBlockLogits, places.size() - begin);
    for (size_t i = 0; i < size; ++i) block[i] = LogitAt(places[begin + i]);
    kernels_->weigh_block(block.data(), scale_, weight.data(), bucket.data());
    std::copy_n(weight.begin(), size, weights.begin() + begin);
  }
}

bool Ranking::Advance(absl::Span<const Place> places, const Limit& limit, Prefix& so_far) const {
  std::array<uint64_t, kBlockLogits> weights;
  for (size_t i = 0; i < places.size(); ++i) {
    const size_t in_block = i % kBlockLogits;
    if (in_block == 0) Weigh(places.subspan(i, kBlockLogits), absl::MakeSpan(weights));
    if (so_far.count > 0 && scale_.ExponentOf(LogitAt(places[i])) < limit.least_exponent) {
      return true;
    }
    ++so_far.count;
    so_far.sum += weights[in_block];
    so_far.last = places[i];
    if (so_far.sum > limit.sum_above || so_far.count >= limit.count) return true;
  }
  return false;
}

Ranking::Prefix Ranking::Cut(const Limit& limit) {
  Prefix prefix;
  if (has_head_) {
    if (Advance(head_, limit, prefix)) return prefix;
    // Beyond the head there may be nothing for this limit, or nothing that weighs.
    if (limit.least_exponent >= head_exponent_ || head_exponent_ <= kLeastExponent) return prefix;
  }
  BuildHistogram();
  const int last_bucket = BucketOf(limit.least_exponent);
  prefix = {};
  int bucket = 0;
  for (; bucket < kBuckets && bucket < last_bucket; ++bucket) {
    if (prefix.sum + bucket_sum_[bucket] > limit.sum_above) break;
    if (prefix.count + bucket_count_[bucket] >= limit.count) break;
    prefix.sum += bucket_sum_[bucket];
    prefix.count += bucket_count_[bucket];
  }
  if (bucket == kBuckets) return prefix;  // all that weighs
  GatherBucket(bucket);
  Advance(bucket_places_, limit, prefix);
  return prefix;
}

size_t Ranking::Top(absl::Span<Place> top) {
  if (!has_head_ || head_.size() < top.size()) {
    bucket_ = kNoBucket;
    bucket_places_.clear();
    for (size_t b = 0; b < row_->blocks().size(); ++b) {
      for (size_t i = 0; i < kBlockLogits; ++i) {
        const float logit = row_->blocks()[b][i];
        if (logit < -std::numeric_limits<float>::max()) continue;
        bucket_places_.push_back(PlaceOf(logit, static_cast<TokenId>(b * kBlockLogits + i)));
      }
    }
    const size_t count = std::min(top.size(), bucket_places_.size());
    std::partial_sort_copy(bucket_places_.begin(), bucket_places_.end(), top.begin(),
                           top.begin() + count);
    return count;
  }
  std::copy_n(head_.begin(), top.size(), top.begin());
  return top.size();
}

void Ranking::BuildHistogram() {
  if (has_histogram_) return;
  has_histogram_ = true;
  bucket_sum_.fill(0);
  bucket_count_.fill(0);
  std::array<uint64_t, kBlockLogits> weight;
  std::array<int32_t, kBlockLogits> bucket;
  for (size_t b = 0; b < row_->blocks().size(); ++b) {
    if (BucketOf(scale_.ExponentOf(row_->block_max()[b])) == kNoBucket) continue;
    kernels_->weigh_block(row_->blocks()[b], scale_, weight.data(), bucket.data());
    for (size_t i = 0; i < kBlockLogits; ++i) {
      bucket_sum_[bucket[i]] += weight[i];
      ++bucket_count_[bucket[i]];
    }
  }
}

void Ranking::GatherBucket(int bucket) {
  if (bucket_ == bucket) return;
  bucket_ = bucket;
  bucket_places_.clear();
  for (size_t b = 0; b < row_->blocks().size(); ++b) {
    const float* block = row_->blocks()[b];
    if (BucketOf(scale_.ExponentOf(row_->block_max()[b])) > bucket) continue;
    if (!kernels_->any_in_bucket(block, scale_, bucket)) continue;
    for (size_t i = 0; i < kBlockLogits; ++i) {
      if (BucketOf(scale_.ExponentOf(block[i])) != bucket) continue;
      bucket_places_.push_back(PlaceOf(block[i], static_cast<TokenId>(b * kBlockLogits + i)));
    }
  }
  Sort(bucket_places_);
}

// REQUIRES: in order of id, so that a stable radix sort by the upper half is enough: comparisons
// would take 10 ms for a vocabulary whose logits are all alike.
void Ranking::Sort(std::vector<Place>& places) {
  if (places.size() <= kComparisonSorted) {
    std::sort(places.begin(), places.end());
    return;
  }
  sorted_.resize(places.size());
  for (int shift = 32; shift < 64; shift += 8) {
    std::array<size_t, 257> begin = {};
    for (Place place : places) ++begin[(place >> shift & 255) + 1];
    for (size_t i = 1; i < begin.size(); ++i) begin[i] += begin[i - 1];
    for (Place place : places) sorted_[begin[place >> shift & 255]++] = place;
    places.swap(sorted_);
  }
}

}  // namespace shoal
