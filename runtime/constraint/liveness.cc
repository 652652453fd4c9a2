#include "runtime/constraint/liveness.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"

#include "runtime/base/status_macros.h"

namespace shoal {
namespace {

constexpr int32_t kUnreachable = std::numeric_limits<int32_t>::max();

using Graph = std::vector<std::vector<int32_t>>;

// Whatever can be reached from `from` in one step or more.
std::vector<bool> ReachableFrom(const Graph& graph, int32_t from) {
  std::vector<bool> reached(graph.size(), false);
  std::vector<int32_t> stack = {from};
  while (!stack.empty()) {
    const int32_t at = stack.back();
    stack.pop_back();
    for (const int32_t to : graph[at]) {
      if (!reached[to]) stack.push_back(to);
      reached[to] = true;
    }
  }
  return reached;
}

}  // namespace

Liveness::Liveness(const ConstraintLimits& limits, Program* program)
    : limits_(limits), program_(*program), callees_(program->rules_.size()) {
  for (const Program::State& state : program_.states_) {
    std::vector<int32_t>& callees = callees_[state.rule];
    for (int32_t i = state.call_begin; i < state.call_end; ++i) {
      callees.push_back(program_.calls_[i].rule);
    }
  }
  for (std::vector<int32_t>& callees : callees_) {
    std::sort(callees.begin(), callees.end());
    callees.erase(std::unique(callees.begin(), callees.end()), callees.end());
  }
}

absl::Status Liveness::Run() {
  program_.nesting_ = limits_.nesting;
  FindRecursion();
  RETURN_IF_ERROR(RankRules());
  RETURN_IF_ERROR(FindHeights());
  Cut();
  return absl::OkStatus();
}

void Liveness::FindRecursion() {
  std::vector<std::vector<bool>> reachable;
  for (size_t r = 0; r < callees_.size(); ++r) {
    reachable.push_back(ReachableFrom(callees_, static_cast<int32_t>(r)));
    program_.rules_[r].cost = reachable[r][r] ? 1 : 0;
  }
  for (size_t r = 0; r < callees_.size(); ++r) {
    program_.rules_[r].is_flat = true;
    for (size_t s = 0; s < callees_.size(); ++s) {
      if (reachable[r][s] && program_.rules_[s].cost > 0) program_.rules_[r].is_flat = false;
    }
  }
}

// Kahn's order of "can begin with". What is left over begins with itself.
absl::Status Liveness::RankRules() {
  const size_t num_rules = program_.rules_.size();
  std::vector<int32_t> waiting_for(num_rules, 0);
  for (const Program::Rule& rule : program_.rules_) {
    if (&rule != &program_.rules_[0] && program_.IsEnd(rule.start)) {
      return absl::InternalError("a rule that is called matches the empty text");
    }
    for (const Program::Call& call : program_.Calls(rule.start)) ++waiting_for[call.rule];
  }
  std::vector<int32_t> order;
  for (size_t r = 0; r < num_rules; ++r) {
    if (waiting_for[r] == 0) order.push_back(static_cast<int32_t>(r));
  }
  for (size_t i = 0; i < order.size(); ++i) {
    program_.rules_[order[i]].rank = static_cast<int32_t>(i);
    for (const Program::Call& call : program_.Calls(program_.rules_[order[i]].start)) {
      if (--waiting_for[call.rule] == 0) order.push_back(call.rule);
    }
  }
  if (order.size() < num_rules) {
    return absl::InvalidArgumentError(
        "a reference leads back to itself before anything is written");
  }
  return absl::OkStatus();
}

// Least fixed point of: 0 at an end; else the least over what can come next of
// the greatest nesting on the way. A rule's height can make others' smaller, so
// rounds repeat until none changes.
absl::Status Liveness::FindHeights() {
  std::vector<Program::State>& states = program_.states_;
  for (Program::State& state : states) state.height = state.is_end ? 0 : kUnreachable;
  for (bool is_changed = true; is_changed;) {
    is_changed = false;
    // Against the order in which they were found, which is mostly the way back.
    for (size_t s = states.size(); s-- > 0;) {
      int32_t height = states[s].height;
      for (size_t c = 0; c < program_.num_classes_; ++c) {
        const int32_t next = program_.next_[s * program_.num_classes_ + c];
        if (next != Program::kDead) height = std::min(height, states[next].height);
      }
      for (const Program::Call& call : program_.Calls(static_cast<int32_t>(s))) {
        const Program::Rule& rule = program_.rules_[call.rule];
        if (states[rule.start].height == kUnreachable) continue;
        height = std::min(
            height, std::max(states[call.next].height, states[rule.start].height + rule.cost));
      }
      is_changed |= height != states[s].height;
      states[s].height = height;
    }
    program_.work_ += states.size() + program_.calls_.size();
    if (program_.work_ > limits_.work) {
      return absl::InvalidArgumentError(absl::StrCat("making its automaton takes more than ",
                                                     limits_.work, " steps (limit work)"));
    }
  }
  const int32_t needed = states[program_.rules_[0].start].height;
  if (needed == kUnreachable) {
    return absl::InvalidArgumentError("no finite text satisfies it");
  }
  if (needed > limits_.nesting) {
    return absl::InvalidArgumentError(absl::StrCat("its shortest text nests ", needed,
                                                   " deep, more than ", limits_.nesting,
                                                   " (limit nesting)"));
  }
  return absl::OkStatus();
}

void Liveness::Cut() {
  std::vector<Program::State>& states = program_.states_;
  const auto is_dead = [&](int32_t s) { return states[s].height > limits_.nesting; };
  for (int32_t& next : program_.next_) {
    if (next != Program::kDead && is_dead(next)) next = Program::kDead;
  }
  std::vector<Program::Call> calls;
  for (size_t s = 0; s < states.size(); ++s) {
    Program::State& state = states[s];
    const auto begin = static_cast<int32_t>(calls.size());
    for (int32_t i = state.call_begin; i < state.call_end; ++i) {
      const Program::Call& call = program_.calls_[i];
      const Program::Rule& rule = program_.rules_[call.rule];
      if (!is_dead(call.next) && !is_dead(rule.start)) calls.push_back(call);
    }
    state.call_begin = begin;
    state.call_end = static_cast<int32_t>(calls.size());
    state.is_plain = !state.is_end && state.call_begin == state.call_end;
    const int32_t* row = &program_.next_[s * program_.num_classes_];
    state.has_bytes = std::any_of(row, row + program_.num_classes_,
                                  [](int32_t next) { return next != Program::kDead; });
  }
  program_.calls_ = std::move(calls);
}

}  // namespace shoal
