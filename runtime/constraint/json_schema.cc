#include "runtime/constraint/json_schema.h"

#include "runtime/base/status_macros.h"
#include "runtime/base/strict_json.h"
#include "runtime/constraint/schema_compiler.h"
#include "runtime/constraint/schema_place.h"

namespace shoal {

absl::StatusOr<Grammar> JsonSchemaGrammar(absl::string_view schema,
                                          const ConstraintLimits& limits) {
  // Checked strictly first; then read again in its own order.
  RETURN_IF_ERROR(ParseStrictJson(schema, "schema", limits.schema_depth).status());
  const SchemaJson document = SchemaJson::parse(schema.begin(), schema.end());
  return SchemaCompiler(document, limits).Compile();
}

}  // namespace shoal
