#include "runtime/constraint/determinize.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

#include "runtime/base/status_macros.h"

namespace shoal {

Determinizer::Determinizer(const Nfa& nfa, const ConstraintLimits& limits, Program* program)
    : nfa_(nfa), limits_(limits), program_(*program), seen_(nfa.states.size(), 0) {}

absl::Status Determinizer::Run() {
  ClassifyBytes();
  for (size_t rule = 0; rule < nfa_.entries.size(); ++rule) {
    RETURN_IF_ERROR(AddRule(static_cast<int32_t>(rule)));
  }
  return absl::OkStatus();
}

// Two bytes are of one class if no byte set tells them apart.
void Determinizer::ClassifyBytes() {
  std::array<uint8_t, 256>& class_of = program_.class_of_;
  class_of.fill(0);
  size_t num_classes = 1;
  for (const ByteSet& set : nfa_.byte_sets) {
    absl::flat_hash_map<std::pair<uint8_t, bool>, uint8_t> refined;
    for (int b = 0; b < 256; ++b) {
      const auto key = std::make_pair(class_of[b], set.Has(b));
      class_of[b] = refined.emplace(key, static_cast<uint8_t>(refined.size())).first->second;
    }
    num_classes = refined.size();
    program_.work_ += 256;
  }
  program_.num_classes_ = num_classes;
  for (const ByteSet& set : nfa_.byte_sets) {
    std::array<bool, 256> has = {};
    for (int b = 0; b < 256; ++b) has[class_of[b]] |= set.Has(b);
    std::vector<uint8_t>& classes = classes_of_set_.emplace_back();
    for (size_t c = 0; c < num_classes; ++c) {
      if (has[c]) classes.push_back(static_cast<uint8_t>(c));
    }
  }
}

absl::Status Determinizer::AddRule(int32_t rule) {
  state_of_.clear();
  pending_.clear();
  const auto first = static_cast<int32_t>(program_.states_.size());
  ASSIGN_OR_RETURN(const int32_t start, StateOf({nfa_.entries[rule]}, rule));
  program_.rules_.push_back({.start = start});
  for (size_t i = 0; i < pending_.size(); ++i) {
    const Subset subset = std::move(pending_[i]);
    RETURN_IF_ERROR(Expand(first + static_cast<int32_t>(i), rule, subset));
  }
  return absl::OkStatus();
}

absl::Status Determinizer::Expand(int32_t state, int32_t rule, const Subset& subset) {
  std::vector<std::pair<int32_t, int32_t>> moves;  // (class, or -1 - rule called; NFA state)
  bool is_end = false;
  for (const int32_t s : subset) {
    const Nfa::State& from = nfa_.states[s];
    if (from.kind == Nfa::Kind::kEnd) is_end = true;
    if (from.kind == Nfa::Kind::kCall) moves.emplace_back(-1 - from.arg, from.to);
    if (from.kind == Nfa::Kind::kBytes) {
      for (const uint8_t c : classes_of_set_[from.arg]) moves.emplace_back(c, from.to);
    }
  }
  program_.work_ += subset.size() + moves.size();
  if (program_.work_ > limits_.work) {
    return absl::InvalidArgumentError(
        absl::StrCat("making its automaton takes more than ", limits_.work, " steps (limit work)"));
  }
  std::sort(moves.begin(), moves.end());
  program_.states_[state].is_end = is_end;
  program_.states_[state].call_begin = static_cast<int32_t>(program_.calls_.size());
  for (size_t i = 0; i < moves.size();) {
    const int32_t letter = moves[i].first;
    Subset seeds;
    for (; i < moves.size() && moves[i].first == letter; ++i) seeds.push_back(moves[i].second);
    ASSIGN_OR_RETURN(const int32_t next, StateOf(seeds, rule));
    if (letter < 0) {
      program_.calls_.push_back({.rule = -1 - letter, .next = next});
    } else {
      program_.next_[static_cast<size_t>(state) * program_.num_classes_ + letter] = next;
    }
  }
  program_.states_[state].call_end = static_cast<int32_t>(program_.calls_.size());
  return absl::OkStatus();
}

absl::StatusOr<int32_t> Determinizer::StateOf(const Subset& seeds, int32_t rule) {
  ++closure_;
  Subset stack = seeds, subset;
  while (!stack.empty()) {
    const int32_t s = stack.back();
    stack.pop_back();
    if (seen_[s] == closure_) continue;
    seen_[s] = closure_;
    ++program_.work_;
    const Nfa::State& state = nfa_.states[s];
    if (state.kind == Nfa::Kind::kSplit) {
      stack.push_back(state.arg);
      stack.push_back(state.to);
    } else {
      subset.push_back(s);
    }
  }
  std::sort(subset.begin(), subset.end());
  const auto [at, is_new] =
      state_of_.emplace(std::move(subset), static_cast<int32_t>(program_.states_.size()));
  if (is_new) {
    if (program_.states_.size() == limits_.states) {
      return absl::InvalidArgumentError(
          absl::StrCat("its automaton has more than ", limits_.states, " states (limit states)"));
    }
    program_.states_.push_back({.rule = rule});
    program_.next_.resize(program_.next_.size() + program_.num_classes_, Program::kDead);
    pending_.push_back(at->first);
  }
  return at->second;
}

}  // namespace shoal
