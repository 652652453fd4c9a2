#include "runtime/sampling/sampling_options.h"

#include <limits>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "runtime/base/status_macros.h"

namespace shoal {
namespace {

template <typename T>
absl::Status OutOfBounds(absl::string_view field, T value, absl::string_view bound) {
  return absl::InvalidArgumentError(absl::StrCat(field, " is ", value, ", it must be ", bound));
}

// Also refuses NaN.
absl::Status CheckRange(absl::string_view field, float value, float least, float most) {
  if (value >= least && value <= most) return absl::OkStatus();
  return OutOfBounds(field, value, absl::StrCat("in [", least, ", ", most, "]"));
}

absl::Status CheckFilters(const SamplingOptions& options) {
  RETURN_IF_ERROR(CheckRange("temperature", options.temperature, 0, 2));
  if (!(options.top_p > 0 && options.top_p <= 1)) {
    return OutOfBounds("top_p", options.top_p, "above 0 and at most 1");
  }
  if (options.top_k < 0) {
    return OutOfBounds("top_k", options.top_k, "at least 0 (0 is off)");
  }
  if (!(options.min_p >= 0 && options.min_p < 1)) {
    return OutOfBounds("min_p", options.min_p, "at least 0 and below 1");
  }
  return absl::OkStatus();
}

absl::Status CheckBiases(const std::vector<LogitBias>& biases, int64_t vocab) {
  if (biases.size() > kMaxLogitBiases) {
    return absl::InvalidArgumentError(absl::StrCat(
        "logit_bias has ", biases.size(), " entries, at most ", kMaxLogitBiases, " are allowed"));
  }
  absl::flat_hash_set<TokenId> seen;
  for (size_t i = 0; i < biases.size(); ++i) {
    const std::string field = absl::StrCat("logit_bias[", i, "]");
    if (biases[i].id < 0 || biases[i].id >= vocab) {
      return OutOfBounds(absl::StrCat(field, ".id"), biases[i].id,
                         vocab == std::numeric_limits<int64_t>::max()
                             ? "at least 0"
                             : absl::StrCat("a token of the vocabulary of ", vocab));
    }
    RETURN_IF_ERROR(CheckRange(absl::StrCat(field, ".bias"), biases[i].bias, -100, 100));
    if (!seen.insert(biases[i].id).second) {
      return OutOfBounds(absl::StrCat(field, ".id"), biases[i].id,
                         "another than those before it: each token has one bias");
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Validate(const SamplingOptions& options) {
  return Validate(options, std::numeric_limits<int64_t>::max());
}

absl::Status Validate(const SamplingOptions& options, int64_t vocab) {
  RETURN_IF_ERROR(CheckFilters(options));
  RETURN_IF_ERROR(CheckRange("presence_penalty", options.presence_penalty, -2, 2));
  RETURN_IF_ERROR(CheckRange("frequency_penalty", options.frequency_penalty, -2, 2));
  RETURN_IF_ERROR(CheckRange("repetition_penalty", options.repetition_penalty, 0.1f, 10));
  RETURN_IF_ERROR(CheckBiases(options.logit_bias, vocab));
  if (options.min_tokens < 0) {
    return OutOfBounds("min_tokens", options.min_tokens, "at least 0");
  }
  if (options.top_logprobs < 0 || options.top_logprobs > kMaxTopLogprobs) {
    return OutOfBounds("top_logprobs", options.top_logprobs,
                       absl::StrCat("in [0, ", kMaxTopLogprobs, "]"));
  }
  if (options.top_logprobs > 0 && !options.logprobs) {
    return OutOfBounds("top_logprobs", options.top_logprobs, "0 where logprobs is false");
  }
  return absl::OkStatus();
}

}  // namespace shoal
