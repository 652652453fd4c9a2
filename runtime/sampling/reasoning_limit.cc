#include "runtime/sampling/reasoning_limit.h"

#include <algorithm>

namespace shoal {

std::optional<TokenId> ForcedToken(const ReasoningLimit& limit, absl::Span<const TokenId> output) {
  auto reasoning = output.begin();
  if (!limit.open_in_prompt) {
    reasoning = std::find(output.begin(), output.end(), limit.begin);
    if (reasoning == output.end()) return std::nullopt;
    ++reasoning;
  }
  // Not "exactly": a journal may come from where the limit was another.
  if (output.end() - reasoning < limit.max_tokens) return std::nullopt;
  if (std::find(reasoning, output.end(), limit.end) != output.end()) return std::nullopt;
  return limit.end;
}

}  // namespace shoal
