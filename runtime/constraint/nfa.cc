#include "runtime/constraint/nfa.h"

#include <cstddef>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace shoal {
namespace {

// Builds backwards: an expression is given the state that follows it, and
// returns the one it begins with.
class Builder {
 public:
  explicit Builder(size_t max_states) : max_states_(max_states) {}

  int32_t New(Nfa::Kind kind, int32_t arg, int32_t to) {
    if (nfa_.states.size() >= max_states_) {
      is_full_ = true;
      return 0;
    }
    nfa_.states.push_back({kind, arg, to});
    return static_cast<int32_t>(nfa_.states.size()) - 1;
  }

  int32_t Before(const Expr& expr, int32_t next) {
    if (is_full_) return 0;
    switch (expr.kind) {
      case Expr::Kind::kBytes:
        return New(Nfa::Kind::kBytes, IndexOf(expr.bytes), next);
      case Expr::Kind::kConcat:
        for (size_t i = expr.parts.size(); i-- > 0;) next = Before(*expr.parts[i], next);
        return next;
      case Expr::Kind::kAlternate:
        return BeforeAlternate(expr, next);
      case Expr::Kind::kRepeat:
        return BeforeRepeat(expr, next);
      case Expr::Kind::kMembers:
        return BeforeMembers(expr, next);
      case Expr::Kind::kCall:
        return New(Nfa::Kind::kCall, expr.rule, next);
    }
    return next;
  }

  bool is_full() const { return is_full_; }
  Nfa* nfa() { return &nfa_; }

 private:
  int32_t BeforeAlternate(const Expr& expr, int32_t next) {
    if (expr.parts.empty()) return New(Nfa::Kind::kBytes, IndexOf(ByteSet()), next);
    int32_t entry = Before(*expr.parts.back(), next);
    for (size_t i = expr.parts.size() - 1; i-- > 0;) {
      entry = New(Nfa::Kind::kSplit, entry, Before(*expr.parts[i], next));
    }
    return entry;
  }

  int32_t BeforeRepeat(const Expr& expr, int32_t next) {
    const Expr& part = *expr.parts[0];
    int32_t entry = next;
    if (expr.max == Expr::kUnbounded) {
      entry = New(Nfa::Kind::kSplit, next, next);
      const int32_t body = Before(part, entry);
      if (is_full_) return 0;
      nfa_.states[entry].to = body;
    } else {
      for (int i = expr.min; i < expr.max && !is_full_; ++i) {
        entry = New(Nfa::Kind::kSplit, next, Before(part, entry));
      }
    }
    for (int i = 0; i < expr.min && !is_full_; ++i) entry = Before(part, entry);
    return entry;
  }

  // Two tracks, before each member: nothing was written yet (`bare`), or
  // something was and a separator is due (`after`). A member stands once.
  int32_t BeforeMembers(const Expr& expr, int32_t next) {
    int32_t bare = next, after = next;
    for (size_t i = expr.parts.size(); i-- > 0 && !is_full_;) {
      const int32_t member = Before(*expr.parts[i], after);
      const int32_t separated = Before(*expr.separator, member);
      const bool is_required = expr.is_required[i];
      bare = is_required ? member : New(Nfa::Kind::kSplit, bare, member);
      after = is_required ? separated : New(Nfa::Kind::kSplit, after, separated);
    }
    return bare;
  }

  int32_t IndexOf(const ByteSet& set) {
    const auto [at, is_new] = index_of_.emplace(set, static_cast<int32_t>(nfa_.byte_sets.size()));
    if (is_new) nfa_.byte_sets.push_back(set);
    return at->second;
  }

  const size_t max_states_;
  bool is_full_ = false;
  Nfa nfa_;
  absl::flat_hash_map<ByteSet, int32_t> index_of_;
};

}  // namespace

absl::StatusOr<Nfa> MakeNfa(const Grammar& grammar, const ConstraintLimits& limits) {
  Builder builder(limits.nfa_states);
  for (const ExprPtr& rule : grammar.rules) {
    const int32_t end = builder.New(Nfa::Kind::kEnd, 0, 0);
    builder.nfa()->entries.push_back(builder.Before(*rule, end));
  }
  if (builder.is_full()) {
    return absl::InvalidArgumentError(absl::StrCat("written out, it has more than ",
                                                   limits.nfa_states,
                                                   " states (limit nfa_states): its repetitions "
                                                   "multiply"));
  }
  return std::move(*builder.nfa());
}

}  // namespace shoal
