// Regular expressions: a subset on whose meaning ECMA-262, RE2 and RFC 9485
// agree. The README has the table.

#ifndef SHOAL_RUNTIME_CONSTRAINT_REGEX_H_
#define SHOAL_RUNTIME_CONSTRAINT_REGEX_H_

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "runtime/constraint/expr.h"
#include "runtime/constraint/limits.h"

namespace shoal {

// How one code point of a set is written: UTF-8 (OneOfCodePoints), or as inside a
// JSON string.
using CodePointWriter = absl::FunctionRef<ExprPtr(const CodePoints&)>;

enum class RegexMeaning {
  kWhole,   // the text as a whole matches
  kSearch,  // some part of it does (JSON Schema's `pattern`)
};

// INVALID_ARGUMENT names the byte and what stands there.
absl::StatusOr<ExprPtr> ParseRegex(absl::string_view pattern, RegexMeaning meaning,
                                   CodePointWriter write, const ConstraintLimits& limits);

}  // namespace shoal

#endif  // SHOAL_RUNTIME_CONSTRAINT_REGEX_H_
