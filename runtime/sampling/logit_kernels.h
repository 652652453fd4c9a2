#ifndef SHOAL_RUNTIME_SAMPLING_LOGIT_KERNELS_H_
#define SHOAL_RUNTIME_SAMPLING_LOGIT_KERNELS_H_

#include <cstddef>
#include <cstdint>

namespace shoal {

// A row of logits is worked on in blocks of 64: as many as a word of a token mask has bits.
inline constexpr size_t kBlockLogits = 64;

// Probabilities before normalization are integers, 2^44 for the likeliest token. Sums of integers
// do not depend on their order, so that what comes of a row is the same for any vector width, and
// for a part of the row as for the sorted whole. 2^19 tokens fit without overflow.
inline constexpr int kWeightBits = 44;
inline constexpr uint64_t kUnitWeight = uint64_t{1} << kWeightBits;
inline constexpr int64_t kMaxVocab = int64_t{1} << 19;

// How a logit becomes a weight: x = (logit - largest) * scale is the exponent of 2, at most 0; the
// weight is 2^x in units of 2^-44, rounded to nearest even, and 0 where x < kLeastExponent.
struct WeightScale {
  float largest = 0;
  float scale = 0;  // log2(e) / temperature
  float ExponentOf(float logit) const { return (logit - largest) * scale; }
};
inline constexpr float kLeastExponent = -46;

// Of equal width on the axis of x, 32 to each halving; bucket b holds ceil(-32 x - 1) < b <= -32 x.
inline constexpr int kBucketsPerBit = 32;
inline constexpr int kBuckets = 46 * kBucketsPerBit + 1;  // 46 = -kLeastExponent
inline constexpr int kNoBucket = kBuckets;                // where the weight is 0 by definition

// The loops over all logits, one table per instruction set; all return the same bits.
// REQUIRES of all: denormals are zero and rounding is to nearest in this thread.
struct LogitKernels {
  // block_max[i]: the largest of block i. False if a logit is NaN or +infinity.
  bool (*scan)(const float* logits, size_t blocks, float* block_max);
  // Logit i of the block becomes -infinity where bit i of `allowed` is 0.
  void (*mask_block)(float* block, uint64_t allowed);
  // The sum of all weights of the blocks, whose maxima are `block_max`.
  uint64_t (*sum)(const float* const* blocks, const float* block_max, size_t count,
                  WeightScale scale);
  // Each weight of a block, and its bucket.
  void (*weigh_block)(const float* block, WeightScale scale, uint64_t* weight, int32_t* bucket);
  // Whether a logit of the block is in the bucket.
  bool (*any_in_bucket)(const float* block, WeightScale scale, int32_t bucket);
};

const LogitKernels& PortableLogitKernels();
const LogitKernels& Avx2LogitKernels();
const LogitKernels& Avx512LogitKernels();

}  // namespace shoal

#endif  // SHOAL_RUNTIME_SAMPLING_LOGIT_KERNELS_H_
