#ifndef SHOAL_RUNTIME_CONSTRAINT_NFA_H_
#define SHOAL_RUNTIME_CONSTRAINT_NFA_H_

#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"

#include "runtime/constraint/byte_set.h"
#include "runtime/constraint/expr.h"
#include "runtime/constraint/limits.h"

namespace shoal {

// A grammar as one nondeterministic automaton (Thompson 1968), a part per rule.
struct Nfa {
  enum class Kind : uint8_t {
    kBytes,  // a byte of byte_sets[arg], then `to`
    kSplit,  // without a byte, `to` or `arg`
    kCall,   // a text of rule `arg`, then `to`
    kEnd,    // of the rule
  };
  struct State {
    Kind kind;
    int32_t arg;
    int32_t to;
  };
  std::vector<State> states;
  std::vector<ByteSet> byte_sets;  // distinct
  std::vector<int32_t> entries;    // by rule
};

// INVALID_ARGUMENT if it has more states than limits.nfa_states.
absl::StatusOr<Nfa> MakeNfa(const Grammar& grammar, const ConstraintLimits& limits);

}  // namespace shoal

#endif  // SHOAL_RUNTIME_CONSTRAINT_NFA_H_
