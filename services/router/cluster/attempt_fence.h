// Which generations this router has on which rank: the fence of rule R4.

#ifndef SHOAL_SERVICES_ROUTER_CLUSTER_ATTEMPT_FENCE_H_
#define SHOAL_SERVICES_ROUTER_CLUSTER_ATTEMPT_FENCE_H_

#include <cstdint>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "shoal/v1/worker.pb.h"

namespace shoal {

// One data stream's generations. Pure bookkeeping; one thread at a time.
class AttemptFence {
 public:
  // `position`: of the first token that will come. A newer attempt takes the place of an older one.
  void Add(absl::string_view generation, uint32_t attempt, int64_t position);
  // Only the attempt that is current is forgotten.
  void Remove(absl::string_view generation, uint32_t attempt);
  void Clear() { current_.clear(); }
  size_t size() const { return current_.size(); }

  enum class Verdict {
    kCurrent,
    kUnknown,   // ended, cancelled, or another attempt's: drop it and cancel it at the worker
    kRepeated,  // positions that have been seen, or a gap: the stream lies
  };
  // Judges one generation's tokens and, when they are current, moves on (or forgets it at its end).
  Verdict Accept(const v1::GenerationTokens& tokens);

 private:
  struct Current {
    uint32_t attempt = 0;
    int64_t position = 0;  // of the next token
  };
  absl::flat_hash_map<std::string, Current> current_;
};

}  // namespace shoal

#endif  // SHOAL_SERVICES_ROUTER_CLUSTER_ATTEMPT_FENCE_H_
