#ifndef SHOAL_RUNTIME_ENGINE_REQUEST_H_
#define SHOAL_RUNTIME_ENGINE_REQUEST_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"

#include "runtime/base/token_id.h"
#include "runtime/sampling/sampling_options.h"

namespace shoal {

// One generation as an engine sees it: token ids in, token ids out.  The same struct carries a
// fresh request and a journal that continues elsewhere (`emitted` non-empty): the engine cannot
// tell them apart (journal law).
struct GenerationKey {
  std::string id;        // the router's, unique in the cluster
  uint32_t attempt = 0;  // how often the generation moved; tokens carry it back
  friend bool operator==(const GenerationKey&, const GenerationKey&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const GenerationKey& k) {
    return H::combine(std::move(h), k.id, k.attempt);
  }
};

enum class FinishReason : uint8_t { kStop, kLength, kTimeLimit, kCancelled };

struct Request {
  GenerationKey key;
  std::vector<TokenId> prompt;   // not empty
  std::vector<TokenId> emitted;  // already sent to the client by an earlier attempt
  SamplingOptions sampling;
  int32_t choice = 0;                // of n: part of what the sampler draws from
  int32_t max_output_tokens = 0;     // over all attempts; > emitted.size()
  std::vector<TokenId> stop_tokens;  // the model's end token is among them unless ignored
  // Of the engine's Clock::Now().  Ends with kTimeLimit, keeping what there is, when the next token
  // cannot come in time.
  absl::Time deadline = absl::InfiniteFuture();
};

// What came of one engine step for one generation.
struct StepOutput {
  GenerationKey key;
  int64_t position = 0;  // of ids[0] (or of what would have been), counted over prompt and output
  std::vector<TokenId> ids;  // stop tokens included
  bool finished = false;
  FinishReason reason = FinishReason::kStop;  // when finished
  absl::Status error;  // not OK: the generation ended without a finish reason
};

// Receives each committed step, all generations in one call, from the engine thread; generations
// that end between steps (cancelled, late, failed) come in a call of their own.  Must not block.
class StepSink {
 public:
  virtual ~StepSink() = default;
  virtual void OnStep(uint64_t step, std::vector<StepOutput> outputs) = 0;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_ENGINE_REQUEST_H_
