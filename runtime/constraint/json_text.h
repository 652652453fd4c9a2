// JSON's scalars (RFC 8259) as expressions.

#ifndef SHOAL_RUNTIME_CONSTRAINT_JSON_TEXT_H_
#define SHOAL_RUNTIME_CONSTRAINT_JSON_TEXT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/constraint/code_points.h"
#include "runtime/constraint/expr.h"

namespace shoal {

// Integers have at most 18 digits, which every reader's 64 bits hold.
inline constexpr int64_t kGreatestJsonInteger = 999'999'999'999'999'999;

// One code point of the set as it stands in a string, in one way: as itself, or
// where JSON wants an escape in its short form, else as \u00xx in lower case.
ExprPtr JsonCharacter(const CodePoints& set);
// One code point in any of JSON's ways. A surrogate is written in pairs only.
ExprPtr AnyJsonCharacter();

// With its quotes.
ExprPtr JsonString(ExprPtr content);
// The quoted string of any text but `names` (checked UTF-8), in JsonCharacter's form.
ExprPtr JsonStringOtherThan(const std::vector<std::string>& names);

// first..last, without a sign before 0. REQUIRES: both within
// +-kGreatestJsonInteger, first <= last.
ExprPtr JsonInteger(int64_t first, int64_t last);
// 18 digits before and 18 after the point, an exponent of two digits: no number
// overflows a double.
ExprPtr JsonNumber();

}  // namespace shoal

#endif  // SHOAL_RUNTIME_CONSTRAINT_JSON_TEXT_H_
