#ifndef SHOAL_RUNTIME_CONSTRAINT_JSON_GRAMMAR_H_
#define SHOAL_RUNTIME_CONSTRAINT_JSON_GRAMMAR_H_

#include <cstddef>
#include <map>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"

#include "runtime/constraint/expr.h"
#include "runtime/constraint/limits.h"

namespace shoal {

// Builds a grammar of JSON texts. What stands in many places is a rule that is
// made when it is first asked for. Whitespace: before the value and between any
// two tokens, as RFC 8259 has it, at most limits.whitespace bytes; none behind the
// value, where the text ends.
class JsonGrammar {
 public:
  explicit JsonGrammar(const ConstraintLimits& limits);

  ExprPtr Whitespace();
  ExprPtr String();
  ExprPtr Number();
  ExprPtr Integer();
  ExprPtr Value();  // any
  ExprPtr AnyObject();
  ExprPtr AnyArray();

  // "key" : value, and whitespace behind it. `key` is with its quotes.
  ExprPtr Pair(ExprPtr key, ExprPtr value);
  ExprPtr Object(const std::vector<ExprMember>& pairs);
  // Min to max further items (max may be Expr::kUnbounded) behind `first`.
  ExprPtr Array(const std::vector<ExprPtr>& first, ExprPtr further, int min, int max);
  // Any number of further pairs, at least one.
  ExprPtr Pairs(ExprPtr pair);

  // A rule to be defined later.
  int NewRule();
  void Define(int rule, ExprPtr expr) { grammar_.rules[rule] = std::move(expr); }
  size_t num_rules() const { return grammar_.rules.size(); }

  // The grammar of the texts that are `value`.
  Grammar Finish(ExprPtr value) &&;

 private:
  enum class Shared { kWhitespace, kString, kNumber, kInteger, kValue };

  ExprPtr CallShared(Shared name, absl::FunctionRef<ExprPtr()> make);
  ExprPtr Separator();

  const ConstraintLimits& limits_;
  Grammar grammar_;
  std::map<Shared, int> shared_;
};

Grammar JsonObjectGrammar(const ConstraintLimits& limits);

}  // namespace shoal

#endif  // SHOAL_RUNTIME_CONSTRAINT_JSON_GRAMMAR_H_
