// What an engine's steps produced for one router, on its way there.

#ifndef SHOAL_SERVICES_WORKER_TOKEN_OUTBOX_H_
#define SHOAL_SERVICES_WORKER_TOKEN_OUTBOX_H_

#include <cstdint>

#include "absl/container/flat_hash_map.h"
#include "shoal/v1/worker.pb.h"

#include "runtime/engine/request.h"

namespace shoal {

// Collects tokens while a write is under way: those of one generation grow together, so a router
// that does not read costs its tokens' bytes once, bounded by the KV cache, and no messages. One
// thread at a time.
class TokenOutbox {
 public:
  // REQUIRES: positions of one generation ascend without gap.
  void Add(uint64_t step, v1::GenerationTokens tokens);
  bool empty() const { return next_.generations_size() == 0; }
  // Everything so far as one message.
  v1::Tokens Take();
  void Clear();

 private:
  v1::Tokens next_;
  absl::flat_hash_map<GenerationKey, int> index_;  // into next_.generations
};

}  // namespace shoal

#endif  // SHOAL_SERVICES_WORKER_TOKEN_OUTBOX_H_
