#ifndef SHOAL_RUNTIME_CONSTRAINT_PROGRAM_H_
#define SHOAL_RUNTIME_CONSTRAINT_PROGRAM_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "runtime/constraint/expr.h"
#include "runtime/constraint/limits.h"

namespace shoal {

// A grammar as deterministic automata over bytes, one per rule, which call each
// other: a pushdown automaton. Choice is left only between a byte and calls, or
// between calls of different rules (`Machine` follows all of them).
//
// Invariants:
//  1. From every state the end of its rule can be reached (the others are cut).
//  2. No rule but the whole matches the empty text, and none begins by calling
//     itself, so between two bytes there are finitely many calls.
//  3. Recursion is bounded: `height` says how many recursive calls inside each
//     other a state still needs at least, so what cannot end within the bound is
//     never begun.
//
// Immutable once made, therefore thread-safe.
class Program {
 public:
  static constexpr int32_t kDead = -1;

  struct Rule {
    int32_t start;
    int32_t rank;  // a rule comes before those that it can begin with
    int32_t cost;  // of nesting: 1 if it can come to call itself, else 0
    // No recursive rule is called from it: nesting does not matter inside.
    bool is_flat;
  };
  struct Call {
    int32_t rule;
    int32_t next;  // the state after it
  };

  // INVALID_ARGUMENT names the limit, or says that no text satisfies the grammar.
  static absl::StatusOr<Program> Compile(const Grammar& grammar, const ConstraintLimits& limits);

  int32_t Next(int32_t state, uint8_t byte) const {
    return next_[static_cast<size_t>(state) * num_classes_ + class_of_[byte]];
  }
  bool IsEnd(int32_t state) const { return states_[state].is_end; }
  // Whether there is no more to a state than its bytes: not an end, no calls.
  bool IsPlain(int32_t state) const { return states_[state].is_plain; }
  bool HasBytes(int32_t state) const { return states_[state].has_bytes; }
  bool IsFlat(int32_t state) const { return rules_[states_[state].rule].is_flat; }
  int32_t height(int32_t state) const { return states_[state].height; }
  absl::Span<const Call> Calls(int32_t state) const {
    const State& s = states_[state];
    return absl::MakeConstSpan(calls_).subspan(s.call_begin, s.call_end - s.call_begin);
  }
  const Rule& rule(int32_t rule) const { return rules_[rule]; }

  int32_t nesting() const { return nesting_; }
  size_t num_states() const { return states_.size(); }
  size_t num_rules() const { return rules_.size(); }
  // What making it took, in the unit of limits.work.
  uint64_t work() const { return work_; }

 private:
  friend class Determinizer;
  friend class Liveness;

  struct State {
    int32_t rule;
    int32_t call_begin;
    int32_t call_end;
    int32_t height;  // nested recursive calls that it still needs
    bool is_end;
    bool is_plain;
    bool has_bytes;
  };

  Program() = default;

  std::array<uint8_t, 256> class_of_ = {};
  size_t num_classes_ = 1;
  std::vector<int32_t> next_;  // [state, class of byte]
  std::vector<State> states_;
  std::vector<Call> calls_;  // of a state side by side
  std::vector<Rule> rules_;
  int32_t nesting_ = 0;
  uint64_t work_ = 0;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_CONSTRAINT_PROGRAM_H_
