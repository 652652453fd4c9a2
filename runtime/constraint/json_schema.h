#ifndef SHOAL_RUNTIME_CONSTRAINT_JSON_SCHEMA_H_
#define SHOAL_RUNTIME_CONSTRAINT_JSON_SCHEMA_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "runtime/constraint/expr.h"
#include "runtime/constraint/limits.h"

namespace shoal {

// The texts of JSON values that satisfy a schema: a subset of JSON Schema draft
// 2020-12 (the README has the table), and of the valid texts those with the
// properties in the schema's order. INVALID_ARGUMENT names where in the schema,
// the keyword, and what would be accepted; nothing that asserts is ignored.
absl::StatusOr<Grammar> JsonSchemaGrammar(absl::string_view schema, const ConstraintLimits& limits);

}  // namespace shoal

#endif  // SHOAL_RUNTIME_CONSTRAINT_JSON_SCHEMA_H_
