// For tests: whole texts against a constraint, byte by byte.

#ifndef SHOAL_RUNTIME_CONSTRAINT_TEXT_MATCHER_H_
#define SHOAL_RUNTIME_CONSTRAINT_TEXT_MATCHER_H_

#include <string>

#include "absl/strings/string_view.h"

#include "runtime/constraint/limits.h"
#include "runtime/constraint/program.h"
#include "runtime/constraint/spec.h"

namespace shoal {

enum class Match { kNo, kPrefix, kWhole };  // kWhole: it may end here

Match MatchOf(const Program& program, absl::string_view text);

// Compiles; ends the test if it is refused.
Program Compiled(const ConstraintSpec& spec, const ConstraintLimits& limits = {});

// The message with which it is refused; empty if it is not.
std::string Refusal(const ConstraintSpec& spec, const ConstraintLimits& limits = {});

}  // namespace shoal

#endif  // SHOAL_RUNTIME_CONSTRAINT_TEXT_MATCHER_H_
