// A regular expression over bytes that may call rules: what every front end
// writes and `Program` compiles.

#ifndef SHOAL_RUNTIME_CONSTRAINT_EXPR_H_
#define SHOAL_RUNTIME_CONSTRAINT_EXPR_H_

#include <memory>
#include <vector>

#include "absl/strings/string_view.h"

#include "runtime/constraint/byte_set.h"
#include "runtime/constraint/code_points.h"

namespace shoal {

struct Expr;
// Immutable, shared: the same expression may stand in many places.
using ExprPtr = std::shared_ptr<const Expr>;

struct Expr {
  enum class Kind {
    kBytes,      // one byte of `bytes`
    kConcat,     // parts, one after the other; none: the empty text
    kAlternate,  // one of the parts; none: nothing matches
    kRepeat,     // parts[0], min to max times
    kMembers,    // the parts in order, each left out or not; between two that are there, the
                 // separator
    kCall,       // a text of the rule
  };
  static constexpr int kUnbounded = -1;

  Kind kind;
  ByteSet bytes = {};
  std::vector<ExprPtr> parts = {};
  int min = 0;
  int max = 0;  // or kUnbounded
  int rule = 0;
  ExprPtr separator = nullptr;
  std::vector<bool> is_required = {};  // of kMembers, beside `parts`
};

ExprPtr EmptyText();
ExprPtr Literal(absl::string_view bytes);
ExprPtr OneOfBytes(const ByteSet& bytes);
ExprPtr Concat(std::vector<ExprPtr> parts);
ExprPtr Alternate(std::vector<ExprPtr> parts);
ExprPtr Repeat(ExprPtr part, int min, int max);
ExprPtr Optional(ExprPtr part);
ExprPtr Call(int rule);

// The UTF-8 of one code point of the set.
ExprPtr OneOfCodePoints(const CodePoints& set);

struct ExprMember {
  ExprPtr expr;
  bool is_required;
};
// REQUIRES: no member matches the empty text.
ExprPtr Members(ExprPtr separator, const std::vector<ExprMember>& members);

// `rules[0]` is the whole; the others are what is called. A called rule must
// not match the empty text.
struct Grammar {
  std::vector<ExprPtr> rules;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_CONSTRAINT_EXPR_H_
