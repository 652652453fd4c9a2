#ifndef SHOAL_RUNTIME_SAMPLING_NAIVE_SAMPLER_H_
#define SHOAL_RUNTIME_SAMPLING_NAIVE_SAMPLER_H_

#include <vector>

#include "runtime/sampling/sampler.h"

namespace shoal {

// The sampler's definition (sampler.h) word for word, and as slow: it copies the row, sorts all of
// it, and goes through it from the front. REQUIRES: some token is possible.
struct NaiveSample {
  SampledToken token;
  std::vector<TokenProbability> distribution;
};
NaiveSample NaiveSampler(const SampleInput& input);

// Deliberate mistakes, which the tests must find.
enum class NaiveMistake {
  kNone,
  kTiesByHighestId,
  kTopPBeforeTopK,
  kPenaltiesCountPrompt,
  kRepetitionPerOccurrence,
  kBiasAfterRepetition,
  kTemperatureAfterFilters,
  kTopPOneTooMany,
  kLogprobsAfterEdits,
};
NaiveSample NaiveSampler(const SampleInput& input, NaiveMistake mistake);

}  // namespace shoal

#endif  // SHOAL_RUNTIME_SAMPLING_NAIVE_SAMPLER_H_
