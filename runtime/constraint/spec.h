#ifndef SHOAL_RUNTIME_CONSTRAINT_SPEC_H_
#define SHOAL_RUNTIME_CONSTRAINT_SPEC_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "runtime/constraint/limits.h"
#include "runtime/constraint/program.h"

namespace shoal {

// What a request asks for.
struct ConstraintSpec {
  enum class Kind {
    kJsonObject,  // any JSON object
    kJsonSchema,  // JSON that `text`, a schema, allows
    kRegex,       // a text that `text`, as a whole, matches
    kChoices,     // one of `choices`
  };
  Kind kind;
  std::string text = {};
  std::vector<std::string> choices = {};
};

// INVALID_ARGUMENT, beginning with the kind, names what is not supported and what
// would be accepted, or the limit and its value. Needs no vocabulary: a router
// can refuse a request by it.
absl::StatusOr<Program> CompileSpec(const ConstraintSpec& spec, const ConstraintLimits& limits);

}  // namespace shoal

#endif  // SHOAL_RUNTIME_CONSTRAINT_SPEC_H_
