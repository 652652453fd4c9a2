#include "runtime/constraint/schema_compiler.h"

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "runtime/base/status_macros.h"
#include "runtime/base/strict_json.h"

namespace shoal {

absl::StatusOr<Grammar> SchemaCompiler::Compile() {
  ASSIGN_OR_RETURN(ExprPtr root, Of({&document_, ""}));
  RETURN_IF_ERROR(DefinePending());
  return std::move(json_).Finish(std::move(root));
}

absl::Status SchemaCompiler::DefinePending() {
  for (size_t i = 0; i < pending_.size(); ++i) {  // grows
    const auto [rule, schema] = pending_[i];
    ASSIGN_OR_RETURN(ExprPtr expr, Of(schema));
    json_.Define(rule, std::move(expr));
  }
  return absl::OkStatus();
}

absl::StatusOr<ExprPtr> SchemaCompiler::RuleOf(const SchemaPlace& schema) {
  const auto [at, is_new] = rules_.emplace(schema.pointer, 0);
  if (is_new) {
    if (json_.num_rules() >= limits_.rules) {
      return schema.Refuse(
          absl::StrCat("more than ", limits_.rules, " subschemas apart (limit rules)"));
    }
    at->second = json_.NewRule();
    pending_.emplace_back(at->second, schema);
  }
  return Call(at->second);
}

absl::StatusOr<ExprPtr> SchemaCompiler::Of(const SchemaPlace& schema) {
  if (schema.json->is_boolean()) {
    if (schema.json->get<bool>()) return json_.Value();
    return schema.Refuse("false allows no value; leave the member out");
  }
  if (!schema.json->is_object()) {
    return schema.Refuse(absl::StrCat(ShownJson(*schema.json), " is no schema"));
  }
  if (schema.Has("$schema")) {
    const SchemaJson& dialect = schema["$schema"];
    if (dialect != "https://json-schema.org/draft/2020-12/schema") {
      return schema.Refuse(
          absl::StrCat("$schema is ", ShownJson(dialect),
                       "; accepted: https://json-schema.org/draft/2020-12/schema"));
    }
  }
  if (schema.Has("$ref")) return OfReference(schema);
  for (const char* keyword : {"const", "enum"}) {
    if (schema.Has(keyword)) return OfValues(schema, keyword);
  }
  for (const char* keyword : {"anyOf", "oneOf", "allOf"}) {
    if (schema.Has(keyword)) return OfAlternatives(schema, keyword);
  }
  return OfTypes(schema);
}

absl::StatusOr<SchemaPlace> Resolve(const SchemaJson& document, const SchemaPlace& schema) {
  const SchemaJson& ref = schema["$ref"];
  const std::string target = ref.is_string() ? ref.get<std::string>() : "";
  absl::string_view pointer = target;
  if (!absl::ConsumePrefix(&pointer, "#") || (!pointer.empty() && pointer[0] != '/') ||
      absl::StrContains(pointer, '%')) {
    return schema.Refuse(absl::StrCat("$ref is ", ShownJson(ref),
                                      "; accepted: # and #/..., a place in this document"));
  }
  const SchemaJson* found = nullptr;
  try {
    const SchemaJson::json_pointer path{std::string(pointer)};
    if (document.contains(path)) found = &document.at(path);
  } catch (const SchemaJson::exception&) {  // no JSON pointer
  }
  if (found == nullptr) {
    return schema.Refuse(absl::StrCat("$ref is ", ShownJson(ref), ", where nothing stands"));
  }
  return SchemaPlace{found, std::string(pointer)};
}

absl::StatusOr<ExprPtr> SchemaCompiler::OfReference(const SchemaPlace& schema) {
  RETURN_IF_ERROR(schema.AcceptOnly({"$ref"}, "beside $ref"));
  ASSIGN_OR_RETURN(const SchemaPlace target, Resolve(document_, schema));
  return RuleOf(target);
}

// The text of one value, with its members in this order.
ExprPtr SchemaCompiler::OfValue(const SchemaJson& value) {
  if (value.is_object()) {
    std::vector<ExprMember> members;
    for (const auto& [name, member] : value.items()) {
      members.push_back({json_.Pair(Literal(SchemaJson(name).dump()), OfValue(member)), true});
    }
    return json_.Object(members);
  }
  if (value.is_array()) {
    std::vector<ExprPtr> items;
    for (const SchemaJson& item : value) items.push_back(OfValue(item));
    return json_.Array(items, nullptr, 0, 0);
  }
  return Literal(value.dump());
}

absl::StatusOr<ExprPtr> SchemaCompiler::OfValues(const SchemaPlace& schema,
                                                 absl::string_view keyword) {
  RETURN_IF_ERROR(schema.AcceptOnly({keyword, "type"}, absl::StrCat("beside ", keyword)));
  const bool is_list = keyword == "enum";
  if (is_list && !schema["enum"].is_array()) return schema.Refuse("enum is no list");
  const SchemaJson values = is_list ? schema["enum"] : SchemaJson::array({schema["const"]});
  if (values.size() > limits_.entries) {
    return schema.Refuse(absl::StrCat("enum has ", values.size(), " entries, more than ",
                                      limits_.entries, " (limit entries)"));
  }
  ASSIGN_OR_RETURN(const SchemaTypes types, TypesOf(schema));
  std::vector<ExprPtr> alternatives;
  for (const SchemaJson& value : values) {
    bool is_allowed = types.empty();
    for (const std::string& type : types) is_allowed |= HasType(value, type);
    if (is_allowed) alternatives.push_back(OfValue(value));
  }
  if (alternatives.empty()) {
    return schema.Refuse(absl::StrCat(keyword, " has no value of the schema's type"));
  }
  return Alternate(std::move(alternatives));
}

absl::StatusOr<ExprPtr> SchemaCompiler::OfAlternatives(const SchemaPlace& schema,
                                                       absl::string_view keyword) {
  RETURN_IF_ERROR(schema.AcceptOnly({keyword}, absl::StrCat("beside ", keyword)));
  const SchemaJson& list = schema[keyword];
  if (!list.is_array() || list.empty()) {
    return schema.Refuse(absl::StrCat(keyword, " is no list of schemas"));
  }
  if (list.size() > limits_.alternatives) {
    return schema.Refuse(absl::StrCat(keyword, " has ", list.size(), " entries, more than ",
                                      limits_.alternatives, " (limit alternatives)"));
  }
  if (keyword == "allOf" && list.size() > 1) {
    return schema.Refuse(absl::StrCat("allOf has ", list.size(),
                                      " entries; accepted: one. Write the intersection out"));
  }
  std::vector<SchemaPlace> schemas;
  std::vector<ExprPtr> alternatives;
  for (size_t i = 0; i < list.size(); ++i) {
    schemas.push_back(schema.Child(keyword, i));
    ASSIGN_OR_RETURN(ExprPtr alternative, Of(schemas.back()));
    alternatives.push_back(std::move(alternative));
  }
  if (keyword == "oneOf") {
    RETURN_IF_ERROR(CheckDisjoint(document_, schemas));
  }
  return Alternate(std::move(alternatives));
}

absl::StatusOr<ExprPtr> SchemaCompiler::OfTypes(const SchemaPlace& schema) {
  ASSIGN_OR_RETURN(const SchemaTypes types, TypesOf(schema));
  std::vector<absl::string_view> accepted = {"type"};
  std::string because = "here";
  for (const std::string& type : types) {
    for (const absl::string_view keyword : KeywordsOf(type)) accepted.push_back(keyword);
    because = types.size() == 1 ? absl::StrCat("for type ", type) : "for these types";
  }
  if (types.empty()) {
    for (const char* keyword : {"$ref", "const", "enum", "anyOf", "oneOf", "allOf"}) {
      accepted.push_back(keyword);
    }
  }
  RETURN_IF_ERROR(schema.AcceptOnly(accepted, because));
  if (types.empty()) return json_.Value();
  std::vector<ExprPtr> alternatives;
  for (const std::string& type : types) {
    ASSIGN_OR_RETURN(ExprPtr alternative, OfType(schema, type));
    alternatives.push_back(std::move(alternative));
  }
  return Alternate(std::move(alternatives));
}

}  // namespace shoal
