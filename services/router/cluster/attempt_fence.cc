#include "services/router/cluster/attempt_fence.h"

namespace shoal {

void AttemptFence::Add(absl::string_view generation, uint32_t attempt, int64_t position) {
  current_[generation] = {attempt, position};
}

void AttemptFence::Remove(absl::string_view generation, uint32_t attempt) {
  const auto it = current_.find(generation);
  if (it != current_.end() && it->second.attempt == attempt) current_.erase(it);
}

AttemptFence::Verdict AttemptFence::Accept(const v1::GenerationTokens& tokens) {
  const auto it = current_.find(tokens.generation());
  if (it == current_.end() || it->second.attempt != tokens.attempt()) return Verdict::kUnknown;
  if (tokens.ids_size() > 0 && tokens.position() != it->second.position) return Verdict::kRepeated;
  it->second.position += tokens.ids_size();
  if (tokens.end() != v1::GenerationTokens::NOT_ENDED) current_.erase(it);
  return Verdict::kCurrent;
}

}  // namespace shoal
