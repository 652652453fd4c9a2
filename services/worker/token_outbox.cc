#include "services/worker/token_outbox.h"

#include <utility>

namespace shoal {

void TokenOutbox::Add(uint64_t step, v1::GenerationTokens tokens) {
  next_.set_step(step);
  const GenerationKey key{tokens.generation(), tokens.attempt()};
  const auto [it, inserted] = index_.try_emplace(key, next_.generations_size());
  if (inserted) {
    *next_.add_generations() = std::move(tokens);
    return;
  }
  v1::GenerationTokens& waiting = *next_.mutable_generations(it->second);
  if (waiting.ids_size() == 0) waiting.set_position(tokens.position());
  waiting.mutable_ids()->MergeFrom(tokens.ids());
  waiting.set_end(tokens.end());
  waiting.set_error_code(tokens.error_code());
  waiting.set_error_message(tokens.error_message());
}

v1::Tokens TokenOutbox::Take() {
  index_.clear();
  return std::exchange(next_, v1::Tokens());
}

void TokenOutbox::Clear() { Take(); }

}  // namespace shoal
