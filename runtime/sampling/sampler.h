#ifndef SHOAL_RUNTIME_SAMPLING_SAMPLER_H_
#define SHOAL_RUNTIME_SAMPLING_SAMPLER_H_

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "runtime/base/token_id.h"
#include "runtime/device/cpu/isa.h"
#include "runtime/sampling/sampling_options.h"

namespace shoal {

// Everything that a sampled token depends on.
struct SampleInput {
  absl::Span<const float> logits;  // [vocab]
  const SamplingOptions& options;
  // The sequence up to the token in question: what the penalties count, and its position.
  absl::Span<const TokenId> prompt = {};
  absl::Span<const TokenId> output = {};
  int32_t choice = 0;                          // of n
  absl::Span<const TokenId> stop_tokens = {};  // impossible while output is below min_tokens
  // What a constraint allows: bit i % 64 of word i / 64 stands for token i. Empty: everything.
  absl::Span<const uint64_t> allowed = {};
  std::optional<TokenId> forced = std::nullopt;  // comes whatever the rest says

  int64_t position() const { return static_cast<int64_t>(prompt.size() + output.size()); }
};

struct TokenLogprob {
  TokenId id = 0;
  float logprob = 0;
};

struct SampledToken {
  TokenId id = 0;
  // With options.logprobs. -infinity for a forced token that the model holds impossible.
  float logprob = 0;
  int32_t top_count = 0;  // options.top_logprobs, or fewer where fewer tokens are possible
  std::array<TokenLogprob, kMaxTopLogprobs> top = {};  // by (logprob descending, id ascending)
};

// Memory between calls: after the first row of a vocabulary, Sample allocates nothing. Holds no
// state that a result depends on. One thread at a time.
class SamplerScratch {
 public:
  // REQUIRES: `isa` is one of SupportedIsas(), or kBest. All give the same bits.
  explicit SamplerScratch(Isa isa = Isa::kBest);
  ~SamplerScratch();

  struct Buffers;
  Buffers& buffers() { return *buffers_; }

 private:
  const std::unique_ptr<Buffers> buffers_;
};

// The next token, a function of `input` alone: no state, no batch, no clock.
//
// What happens to the logits, in Hugging Face's order (transformers' GenerationMixin):
//   1. logit_bias is added;
//   2. repetition_penalty, over prompt and output (Hugging Face);
//   3. frequency_penalty and presence_penalty, over the output (OpenAI);
//   4. what `allowed` excludes becomes impossible, and so do stop tokens before min_tokens. Where
//      that leaves nothing, the constraint has come to its end, which outranks min_tokens;
//   5. temperature: 0 takes the largest, the lowest id of equals;
//   6. top_k: that many tokens, the lower ids of equals (Hugging Face keeps all equals);
//   7. top_p: the fewest that reach it of what is left; 8. min_p: relative to the likeliest.
// Rule N10: tokens are ranked by (logit descending, id ascending), summed in that order as integers
// of 2^-44, and drawn by a counter RNG keyed by (seed, choice, position). A token with less than
// 2^-45 of the likeliest one's probability is never drawn.
//
// Logprobs are those of the model: the log-softmax of the logits as they came, before all of the
// above, temperature included. OpenAI does not say of which distribution its are; this is what
// vLLM documents as its default (raw_logprobs).
//
// INTERNAL when a logit is NaN or +infinity, or no token is possible. REQUIRES: options are valid
// for the vocabulary; the ids of prompt and output are of it; `allowed` is empty or covers it.
absl::StatusOr<SampledToken> Sample(const SampleInput& input, SamplerScratch& scratch);

struct TokenProbability {
  TokenId id = 0;
  double probability = 0;
};

// What Sample draws from: every token that it may return, in its order. For tests and tools: it
// sorts the whole row.
absl::StatusOr<std::vector<TokenProbability>> Distribution(const SampleInput& input,
                                                           SamplerScratch& scratch);

}  // namespace shoal

#endif  // SHOAL_RUNTIME_SAMPLING_SAMPLER_H_
