#include "runtime/constraint/regex.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

#include "runtime/base/status_macros.h"
#include "runtime/constraint/regex_class.h"
#include "runtime/text/utf8.h"

namespace shoal {
namespace {

// By recursive descent: alternation, sequence, repetition, atom.
class Parser {
 public:
  Parser(absl::string_view pattern, RegexMeaning meaning, CodePointWriter write,
         const ConstraintLimits& limits)
      : cursor_{.text = pattern}, meaning_(meaning), write_(write), limits_(limits) {}

  absl::StatusOr<ExprPtr> Parse() {
    ASSIGN_OR_RETURN(ExprPtr expr, Alternation(0));
    if (!cursor_.is_done()) return cursor_.Refuse("a ) without its (");
    return expr;
  }

 private:
  absl::StatusOr<ExprPtr> Alternation(int depth) {
    std::vector<ExprPtr> alternatives;
    do {
      ASSIGN_OR_RETURN(ExprPtr sequence, depth == 0 ? Anchored() : Sequence(depth));
      alternatives.push_back(std::move(sequence));
    } while (cursor_.Take("|"));
    return Alternate(std::move(alternatives));
  }

  // An alternative of the whole pattern, the only place for anchors.
  absl::StatusOr<ExprPtr> Anchored() {
    const bool is_begin = cursor_.Take("^");
    ASSIGN_OR_RETURN(ExprPtr sequence, Sequence(0));
    const bool is_end = cursor_.Take("$");
    if (meaning_ == RegexMeaning::kWhole) return sequence;
    const ExprPtr anything = Repeat(write_(CodePoints::All()), 0, Expr::kUnbounded);
    std::vector<ExprPtr> parts;
    if (!is_begin) parts.push_back(anything);
    parts.push_back(std::move(sequence));
    if (!is_end) parts.push_back(anything);
    return Concat(std::move(parts));
  }

  bool AtAlternativesEnd() const {
    return cursor_.is_done() || cursor_.Sees("|") || cursor_.Sees(")");
  }

  absl::StatusOr<ExprPtr> Sequence(int depth) {
    std::vector<ExprPtr> parts;
    while (!AtAlternativesEnd()) {
      if (depth == 0 && cursor_.Sees("$")) {
        const size_t after = cursor_.at + 1;
        if (after == cursor_.text.size() || cursor_.text[after] == '|') break;
      }
      ASSIGN_OR_RETURN(ExprPtr atom, Atom(depth));
      ASSIGN_OR_RETURN(ExprPtr repeated, Repeated(std::move(atom)));
      parts.push_back(std::move(repeated));
    }
    return Concat(std::move(parts));
  }

  absl::StatusOr<ExprPtr> Atom(int depth) {
    if (cursor_.Take("\\")) {
      ASSIGN_OR_RETURN(const RegexSet escape, ParseRegexEscape(&cursor_));
      return write_(escape.set);
    }
    if (cursor_.Take("[")) {
      ASSIGN_OR_RETURN(const CodePoints set, ParseRegexClass(&cursor_));
      return write_(set);
    }
    if (cursor_.Take(".")) return write_(RegexDot());
    if (cursor_.Sees("(")) return Group(depth + 1);
    for (const char* special : {"*", "+", "?"}) {
      if (cursor_.Sees(special)) return cursor_.Refuse("nothing to repeat");
    }
    for (const char* special : {"{", "}", "]"}) {
      if (cursor_.Sees(special)) {
        return cursor_.Refuse(absl::StrCat("write \\", special, " for the character itself"));
      }
    }
    if (cursor_.Sees("^") || cursor_.Sees("$")) {
      return cursor_.Refuse(
          "^ and $ stand only at the ends of the whole pattern or of one of its alternatives");
    }
    const uint32_t code_point = cursor_.TakeCodePoint();
    return write_(CodePoints::Of(code_point, code_point));
  }

  absl::StatusOr<ExprPtr> Group(int depth) {
    if (depth > limits_.group_depth) {
      return cursor_.Refuse(
          absl::StrCat("groups nested deeper than ", limits_.group_depth, " (limit group_depth)"));
    }
    cursor_.Take("(");
    if (!cursor_.Take("?:") && cursor_.Sees("?")) {
      return cursor_.Refuse(
          "of the groups that begin with (? only (?: is supported (no look-around, no flags, no "
          "names)");
    }
    ASSIGN_OR_RETURN(ExprPtr inner, Alternation(depth));
    if (!cursor_.Take(")")) return cursor_.Refuse("a ( without its )");
    return inner;
  }

  absl::StatusOr<ExprPtr> Repeated(ExprPtr atom) {
    int min = 1, max = 1;
    if (cursor_.Take("*")) {
      min = 0, max = Expr::kUnbounded;
    } else if (cursor_.Take("+")) {
      max = Expr::kUnbounded;
    } else if (cursor_.Take("?")) {
      min = 0;
    } else if (cursor_.Take("{")) {
      RETURN_IF_ERROR(Bounds(&min, &max));
    } else {
      return atom;
    }
    // Lazy or not, the texts that match are the same.
    cursor_.Take("?");
    for (const char* again : {"*", "+", "?", "{"}) {
      if (cursor_.Sees(again)) {
        return cursor_.Refuse(
            "a repetition of a repetition (put a group around the inner one; "
            "possessive ones are not supported)");
      }
    }
    return Repeat(std::move(atom), min, max);
  }

  // After "{": m}, m,} or m,n}.
  absl::Status Bounds(int* min, int* max) {
    ASSIGN_OR_RETURN(*min, Number());
    *max = *min;
    if (cursor_.Take(",")) {
      *max = Expr::kUnbounded;
      if (!cursor_.Sees("}")) {
        ASSIGN_OR_RETURN(*max, Number());
      }
    }
    if (!cursor_.Take("}")) return cursor_.Refuse("expected {m}, {m,} or {m,n}");
    if (*max != Expr::kUnbounded && *max < *min) {
      return cursor_.Refuse(absl::StrCat("repetition of at least ", *min, ", at most ", *max));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<int> Number() {
    const size_t start = cursor_.at;
    int value = 0;
    while (!cursor_.is_done() && absl::ascii_isdigit(cursor_.text[cursor_.at])) {
      value = std::min(value * 10 + (cursor_.text[cursor_.at++] - '0'), limits_.repetition + 1);
    }
    if (cursor_.at == start) return cursor_.Refuse("expected {m}, {m,} or {m,n}");
    if (value > limits_.repetition) {
      return cursor_.Refuse(
          absl::StrCat("a repetition beyond ", limits_.repetition, " (limit repetition)"));
    }
    return value;
  }

  RegexCursor cursor_;
  const RegexMeaning meaning_;
  const CodePointWriter write_;
  const ConstraintLimits& limits_;
};

}  // namespace

absl::StatusOr<ExprPtr> ParseRegex(absl::string_view pattern, RegexMeaning meaning,
                                   CodePointWriter write, const ConstraintLimits& limits) {
  RETURN_IF_ERROR(Annotate(CheckUtf8(pattern), "regex"));
  return Parser(pattern, meaning, write, limits).Parse();
}

}  // namespace shoal
