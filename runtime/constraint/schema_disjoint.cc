// Whether the alternatives of a oneOf exclude each other.

#include <algorithm>
#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "runtime/base/status_macros.h"
#include "runtime/constraint/schema_compiler.h"

namespace shoal {
namespace {

constexpr int kMostReferences = 16;  // followed one after the other

// What can be told of a schema's values.
struct Outline {
  SchemaTypes types;                   // empty: any
  std::vector<nlohmann::json> values;  // all there are, if has_values; members unordered
  bool has_values = false;
  std::map<std::string, std::vector<nlohmann::json>> required;  // properties with listed values
};

absl::StatusOr<Outline> OutlineOf(const SchemaJson& document, SchemaPlace schema, bool is_top) {
  for (int i = 0; i < kMostReferences && schema.Has("$ref"); ++i) {
    ASSIGN_OR_RETURN(schema, Resolve(document, schema));
  }
  Outline outline;
  if (!schema.json->is_object()) return outline;
  if (schema.Has("const") || schema.Has("enum")) {
    const SchemaJson values =
        schema.Has("const") ? SchemaJson::array({schema["const"]}) : schema["enum"];
    outline.has_values = true;
    for (const SchemaJson& value : values) outline.values.push_back(value);
    return outline;
  }
  // Without "type" the keywords constrain one type, and allow all others.
  if (schema.Has("type")) {
    ASSIGN_OR_RETURN(outline.types, TypesOf(schema));
  }
  const bool is_object = outline.types == SchemaTypes{"object"};
  if (!is_top || !is_object || !schema.Has("properties") || !schema.Has("required")) return outline;
  const SchemaPlace properties = schema.Child("properties");
  for (const SchemaJson& name : schema["required"]) {
    // A target of $ref may not have been checked yet.
    if (!name.is_string() || !properties.Has(name.get<std::string>())) continue;
    ASSIGN_OR_RETURN(Outline property,
                     OutlineOf(document, properties.Child(name.get<std::string>()),
                               /*is_top=*/false));
    if (property.has_values) outline.required[name.get<std::string>()] = std::move(property.values);
  }
  return outline;
}

bool ShareValue(const std::vector<nlohmann::json>& a, const std::vector<nlohmann::json>& b) {
  return std::any_of(a.begin(), a.end(), [&b](const nlohmann::json& value) {
    return std::find(b.begin(), b.end(), value) != b.end();
  });
}

// Every integer is a number.
bool ShareType(const SchemaTypes& a, const SchemaTypes& b) {
  const auto is_number = [](const std::string& t) { return t == "integer" || t == "number"; };
  for (const std::string& x : a) {
    for (const std::string& y : b) {
      if (x == y || (is_number(x) && is_number(y))) return true;
    }
  }
  return false;
}

bool AreDisjoint(const Outline& a, const Outline& b) {
  if (a.has_values && b.has_values) return !ShareValue(a.values, b.values);
  if (a.has_values || b.has_values) {
    const Outline& listed = a.has_values ? a : b;
    const Outline& typed = a.has_values ? b : a;
    return !typed.types.empty() &&
           std::none_of(
               listed.values.begin(), listed.values.end(), [&](const nlohmann::json& value) {
                 return std::any_of(typed.types.begin(), typed.types.end(),
                                    [&](const std::string& type) { return HasType(value, type); });
               });
  }
  if (!a.types.empty() && !b.types.empty() && !ShareType(a.types, b.types)) return true;
  return std::any_of(a.required.begin(), a.required.end(), [&b](const auto& property) {
    const auto other = b.required.find(property.first);
    return other != b.required.end() && !ShareValue(property.second, other->second);
  });
}

}  // namespace

absl::Status CheckDisjoint(const SchemaJson& document, const std::vector<SchemaPlace>& schemas) {
  std::vector<Outline> outlines;
  for (const SchemaPlace& schema : schemas) {
    ASSIGN_OR_RETURN(Outline outline, OutlineOf(document, schema, /*is_top=*/true));
    outlines.push_back(std::move(outline));
  }
  for (size_t j = 1; j < outlines.size(); ++j) {
    for (size_t i = 0; i < j; ++i) {
      if (AreDisjoint(outlines[i], outlines[j])) continue;
      return schemas[j].Refuse(absl::StrCat(
          "of oneOf, it may allow what #", schemas[i].pointer,
          " allows; accepted: alternatives of different types, of different const or enum, or "
          "objects that both require a property with different const or enum. Or write anyOf"));
    }
  }
  return absl::OkStatus();
}

}  // namespace shoal
