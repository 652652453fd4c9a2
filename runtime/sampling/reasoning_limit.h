#ifndef SHOAL_RUNTIME_SAMPLING_REASONING_LIMIT_H_
#define SHOAL_RUNTIME_SAMPLING_REASONING_LIMIT_H_

#include <cstdint>
#include <optional>

#include "absl/types/span.h"

#include "runtime/base/token_id.h"

namespace shoal {

// max_reasoning_tokens: how long a model may think before its reasoning is ended for it.
struct ReasoningLimit {
  TokenId begin = 0;            // <think>
  TokenId end = 0;              // </think>
  bool open_in_prompt = false;  // the prompt ends with <think>; otherwise the output's first opens
  int64_t max_tokens = 0;       // >= 0, the marks not counted
};

// What to sample next (SampleInput::forced), a function of the output so far: `end` when the
// reasoning is open and has max_tokens, otherwise nothing. Reasoning happens once: a <think> after
// its end is text.
std::optional<TokenId> ForcedToken(const ReasoningLimit& limit, absl::Span<const TokenId> output);

}  // namespace shoal

#endif  // SHOAL_RUNTIME_SAMPLING_REASONING_LIMIT_H_
