#ifndef SHOAL_RUNTIME_CONSTRAINT_SCHEMA_COMPILER_H_
#define SHOAL_RUNTIME_CONSTRAINT_SCHEMA_COMPILER_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "runtime/constraint/expr.h"
#include "runtime/constraint/json_grammar.h"
#include "runtime/constraint/limits.h"
#include "runtime/constraint/schema_place.h"

namespace shoal {

// Turns one schema document into a grammar. References, items and free values
// become rules, compiled once however often they are used; all else is written
// out where it stands.
class SchemaCompiler {
 public:
  SchemaCompiler(const SchemaJson& document, const ConstraintLimits& limits)
      : document_(document), limits_(limits), json_(limits) {}

  absl::StatusOr<Grammar> Compile();

 private:
  // The texts of a schema's values.
  absl::StatusOr<ExprPtr> Of(const SchemaPlace& schema);
  // The same as the call of a rule, which is compiled later.
  absl::StatusOr<ExprPtr> RuleOf(const SchemaPlace& schema);
  absl::Status DefinePending();

  // By what the schema is made of.
  absl::StatusOr<ExprPtr> OfReference(const SchemaPlace& schema);
  absl::StatusOr<ExprPtr> OfValues(const SchemaPlace& schema, absl::string_view keyword);
  ExprPtr OfValue(const SchemaJson& value);
  absl::StatusOr<ExprPtr> OfAlternatives(const SchemaPlace& schema, absl::string_view keyword);
  absl::StatusOr<ExprPtr> OfTypes(const SchemaPlace& schema);

  // By type (schema_types.cc).
  absl::StatusOr<ExprPtr> OfType(const SchemaPlace& schema, absl::string_view type);
  absl::StatusOr<ExprPtr> OfObject(const SchemaPlace& schema);
  absl::StatusOr<ExprMember> OfFurtherPairs(const SchemaPlace& schema,
                                            const std::vector<std::string>& names);
  absl::StatusOr<ExprPtr> OfArray(const SchemaPlace& schema);
  absl::StatusOr<ExprPtr> OfString(const SchemaPlace& schema);
  absl::StatusOr<ExprPtr> OfInteger(const SchemaPlace& schema);

  const SchemaJson& document_;
  const ConstraintLimits& limits_;
  JsonGrammar json_;
  std::map<std::string, int> rules_;  // by pointer
  std::vector<std::pair<int, SchemaPlace>> pending_;
};

// What `$ref` leads to.
absl::StatusOr<SchemaPlace> Resolve(const SchemaJson& document, const SchemaPlace& schema);

// OK if no value satisfies two of the alternatives, as far as their types, or
// values that are listed for them or for a property that both require, can tell.
absl::Status CheckDisjoint(const SchemaJson& document, const std::vector<SchemaPlace>& schemas);

}  // namespace shoal

#endif  // SHOAL_RUNTIME_CONSTRAINT_SCHEMA_COMPILER_H_
