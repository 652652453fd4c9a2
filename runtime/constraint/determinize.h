#ifndef SHOAL_RUNTIME_CONSTRAINT_DETERMINIZE_H_
#define SHOAL_RUNTIME_CONSTRAINT_DETERMINIZE_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"

#include "runtime/constraint/limits.h"
#include "runtime/constraint/nfa.h"
#include "runtime/constraint/program.h"

namespace shoal {

// Subset construction (Rabin, Scott 1959), rule by rule; calls are letters
// beside the bytes. Fills a Program's states; their heights and the rules'
// ranks are left to Liveness.
class Determinizer {
 public:
  Determinizer(const Nfa& nfa, const ConstraintLimits& limits, Program* program);

  absl::Status Run();

 private:
  using Subset = std::vector<int32_t>;  // NFA states with a byte, a call or the end; ascending

  void ClassifyBytes();
  absl::Status AddRule(int32_t rule);
  absl::Status Expand(int32_t state, int32_t rule, const Subset& subset);
  // The state of what is reachable from `seeds` without a byte.
  absl::StatusOr<int32_t> StateOf(const Subset& seeds, int32_t rule);

  const Nfa& nfa_;
  const ConstraintLimits& limits_;
  Program& program_;
  std::vector<std::vector<uint8_t>> classes_of_set_;  // by index of the NFA's byte sets

  // Of the rule at hand.
  absl::flat_hash_map<Subset, int32_t> state_of_;
  std::vector<Subset> pending_;  // by state, from the first of the rule on
  std::vector<uint32_t> seen_;   // by NFA state: the last closure that visited it
  uint32_t closure_ = 0;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_CONSTRAINT_DETERMINIZE_H_
