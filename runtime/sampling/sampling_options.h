#ifndef SHOAL_RUNTIME_SAMPLING_SAMPLING_OPTIONS_H_
#define SHOAL_RUNTIME_SAMPLING_SAMPLING_OPTIONS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"

#include "runtime/base/token_id.h"

namespace shoal {

struct LogitBias {
  TokenId id = 0;
  float bias = 0;  // [-100, 100]
  friend bool operator==(const LogitBias&, const LogitBias&) = default;
};

inline constexpr size_t kMaxLogitBiases = 1024;
inline constexpr int32_t kMaxTopLogprobs = 20;

// What a client may ask of the sampler; the defaults leave the model's distribution alone, but for
// the temperature.
struct SamplingOptions {
  float temperature = 0;  // [0, 2]; 0 (and a denormal, which is 0 here) is greedy
  float top_p = 1;        // (0, 1]
  int32_t top_k = 0;      // 0: off
  float min_p = 0;        // [0, 1)
  uint64_t seed = 0;

  // OpenAI's, over the output alone: logit -= frequency_penalty * count + presence_penalty.
  float presence_penalty = 0;   // [-2, 2]
  float frequency_penalty = 0;  // [-2, 2]
  // Hugging Face's, over prompt and output, once per token however often it occurs: a negative
  // logit is multiplied by it, another divided.
  float repetition_penalty = 1;       // [0.1, 10]
  std::vector<LogitBias> logit_bias;  // at most 1024, each id once

  int32_t min_tokens = 0;    // >= 0; stop tokens are impossible in the first so many of the output
  bool logprobs = false;     // of the token that was sampled
  int32_t top_logprobs = 0;  // [0, 20] likeliest tokens beside it; needs logprobs
};

// INVALID_ARGUMENT names the field, its value and the bound; NaN and infinity are refused. The ids
// of logit_bias must be below `vocab`, where a vocabulary is known.
absl::Status Validate(const SamplingOptions& options);
absl::Status Validate(const SamplingOptions& options, int64_t vocab);

}  // namespace shoal

#endif  // SHOAL_RUNTIME_SAMPLING_SAMPLING_OPTIONS_H_
