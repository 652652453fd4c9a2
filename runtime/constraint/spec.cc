#include "runtime/constraint/spec.h"

#include <cstddef>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "runtime/base/status_macros.h"
#include "runtime/constraint/expr.h"
#include "runtime/constraint/json_grammar.h"
#include "runtime/constraint/json_schema.h"
#include "runtime/constraint/regex.h"
#include "runtime/text/utf8.h"

namespace shoal {
namespace {

using Kind = ConstraintSpec::Kind;

absl::string_view NameOf(Kind kind) {
  switch (kind) {
    case Kind::kJsonObject:
      return "json_object";
    case Kind::kJsonSchema:
      return "json_schema";
    case Kind::kRegex:
      return "regex";
    case Kind::kChoices:
      return "choices";
  }
  return "constraint";
}

absl::Status CheckBytes(size_t bytes, const ConstraintLimits& limits) {
  if (bytes <= limits.text_bytes) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(bytes, " bytes, more than ", limits.text_bytes, " (limit text_bytes)"));
}

absl::StatusOr<Grammar> ChoicesGrammar(absl::Span<const std::string> choices,
                                       const ConstraintLimits& limits) {
  if (choices.empty()) return absl::InvalidArgumentError("the list is empty");
  if (choices.size() > limits.entries) {
    return absl::InvalidArgumentError(
        absl::StrCat(choices.size(), " choices, more than ", limits.entries, " (limit entries)"));
  }
  size_t bytes = 0;
  std::vector<ExprPtr> alternatives;
  for (size_t i = 0; i < choices.size(); ++i) {
    RETURN_IF_ERROR(Annotate(CheckUtf8(choices[i]), absl::StrCat("[", i, "]")));
    if (choices[i].empty()) {
      return absl::InvalidArgumentError(absl::StrCat("[", i, "] is empty"));
    }
    bytes += choices[i].size();
    alternatives.push_back(Literal(choices[i]));
  }
  RETURN_IF_ERROR(CheckBytes(bytes, limits));
  return Grammar{{Alternate(std::move(alternatives))}};
}

absl::StatusOr<Grammar> RegexGrammar(absl::string_view pattern, const ConstraintLimits& limits) {
  ASSIGN_OR_RETURN(ExprPtr expr,
                   ParseRegex(pattern, RegexMeaning::kWhole, OneOfCodePoints, limits));
  return Grammar{{std::move(expr)}};
}

absl::StatusOr<Grammar> GrammarOf(const ConstraintSpec& spec, const ConstraintLimits& limits) {
  RETURN_IF_ERROR(CheckBytes(spec.text.size(), limits));
  if (spec.kind != Kind::kChoices && !spec.choices.empty()) {
    return absl::InvalidArgumentError("has choices, which belong to kind choices");
  }
  if ((spec.kind == Kind::kChoices || spec.kind == Kind::kJsonObject) && !spec.text.empty()) {
    return absl::InvalidArgumentError("has a text, which belongs to json_schema and regex");
  }
  switch (spec.kind) {
    case Kind::kJsonObject:
      return JsonObjectGrammar(limits);
    case Kind::kJsonSchema:
      return JsonSchemaGrammar(spec.text, limits);
    case Kind::kRegex:
      return RegexGrammar(spec.text, limits);
    case Kind::kChoices:
      return ChoicesGrammar(spec.choices, limits);
  }
  return absl::InvalidArgumentError("no such kind of constraint");
}

}  // namespace

absl::StatusOr<Program> CompileSpec(const ConstraintSpec& spec, const ConstraintLimits& limits) {
  absl::StatusOr<Grammar> grammar = GrammarOf(spec, limits);
  if (!grammar.ok()) return Annotate(grammar.status(), NameOf(spec.kind));
  absl::StatusOr<Program> program = Program::Compile(*grammar, limits);
  if (!program.ok()) return Annotate(program.status(), NameOf(spec.kind));
  return program;
}

}  // namespace shoal
