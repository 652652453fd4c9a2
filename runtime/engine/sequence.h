#ifndef SHOAL_RUNTIME_ENGINE_SEQUENCE_H_
#define SHOAL_RUNTIME_ENGINE_SEQUENCE_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "runtime/engine/request.h"
#include "runtime/kv/block_pool.h"

namespace shoal {

// A generation in the scheduler's books. Prefill, decoding and continuing from
// a journal are one thing: tokens that are known but not yet in the cache are
// rows to come, and the last of them yields the next token.
struct Sequence {
  Sequence(uint64_t number, Request r)
      : number(number), request(std::move(r)), tokens(request.prompt) {
    tokens.insert(tokens.end(), request.emitted.begin(), request.emitted.end());
  }

  int64_t length() const { return static_cast<int64_t>(tokens.size()); }
  int64_t pending() const { return length() - cached; }
  int64_t outputs() const { return length() - static_cast<int64_t>(request.prompt.size()); }
  // The last output token is never fed back, so its position needs no line.
  static int64_t CachePositions(const Request& request) {
    return static_cast<int64_t>(request.prompt.size()) + request.max_output_tokens - 1;
  }

  const uint64_t number;  // in order of arrival
  const Request request;
  std::vector<TokenId> tokens;  // prompt and output so far
  int64_t cached = 0;           // committed positions in the KV cache
  KvLease lease;                // empty while waiting
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_ENGINE_SEQUENCE_H_
