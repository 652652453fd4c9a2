// SchemaCompiler by type.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/strings/str_cat.h"

#include "runtime/base/status_macros.h"
#include "runtime/base/strict_json.h"
#include "runtime/constraint/json_text.h"
#include "runtime/constraint/regex.h"
#include "runtime/constraint/schema_compiler.h"

namespace shoal {
namespace {

constexpr size_t kLongestName = 256;  // bytes of a property's name

// The least integer that a lower bound allows, or the greatest that an upper one
// does, within what JsonInteger can write.
absl::StatusOr<int64_t> IntegerBound(const SchemaPlace& schema, absl::string_view key,
                                     bool is_lower) {
  const SchemaJson& value = schema[key];
  if (!value.is_number()) {
    return schema.Refuse(absl::StrCat(key, " is ", ShownJson(value), ", no number"));
  }
  constexpr auto kBeyond = static_cast<double>(kGreatestJsonInteger);
  const double approximate = value.get<double>();
  if (approximate <= -kBeyond) return -kGreatestJsonInteger - (is_lower ? 0 : 1);
  if (approximate >= kBeyond) return kGreatestJsonInteger + (is_lower ? 1 : 0);
  const bool is_exclusive = key[0] == 'e';
  int64_t bound;
  bool is_whole = true;
  if (value.is_number_integer()) {
    bound = value.get<int64_t>();
  } else {
    const double rounded = is_lower ? std::ceil(approximate) : std::floor(approximate);
    is_whole = rounded == approximate;
    bound = static_cast<int64_t>(rounded);
  }
  if (is_exclusive && is_whole) bound += is_lower ? 1 : -1;
  return bound;
}

}  // namespace

absl::StatusOr<ExprPtr> SchemaCompiler::OfType(const SchemaPlace& schema, absl::string_view type) {
  if (type == "object") return OfObject(schema);
  if (type == "array") return OfArray(schema);
  if (type == "string") return OfString(schema);
  if (type == "integer") return OfInteger(schema);
  if (type == "number") return json_.Number();
  if (type == "boolean") return Alternate({Literal("true"), Literal("false")});
  return Literal("null");
}

absl::StatusOr<ExprPtr> SchemaCompiler::OfObject(const SchemaPlace& schema) {
  const SchemaJson none = SchemaJson::object();
  const SchemaJson& properties = schema.Has("properties") ? schema["properties"] : none;
  if (!properties.is_object()) return schema.Refuse("properties is no object");
  if (properties.size() > limits_.properties) {
    return schema.Refuse(absl::StrCat(properties.size(), " properties, more than ",
                                      limits_.properties, " (limit properties)"));
  }
  const SchemaJson no_names = SchemaJson::array();
  const SchemaJson& required = schema.Has("required") ? schema["required"] : no_names;
  if (!required.is_array()) return schema.Refuse("required is no list");
  for (const SchemaJson& name : required) {
    if (!name.is_string() || !properties.contains(name.get<std::string>())) {
      return schema.Refuse(
          absl::StrCat("required names ", ShownJson(name), ", which properties does not declare"));
    }
  }
  std::vector<ExprMember> members;
  std::vector<std::string> names;
  for (const auto& [name, property] : properties.items()) {
    if (name.size() > kLongestName) {
      return schema.Refuse(absl::StrCat("the name of a property has ", name.size(),
                                        " bytes, more than ", kLongestName));
    }
    const bool is_required = std::find(required.begin(), required.end(), name) != required.end();
    SchemaPlace place = schema;
    place.pointer += "/properties";
    place.json = &properties;
    ASSIGN_OR_RETURN(ExprPtr value, Of(place.Child(name)));
    members.push_back({json_.Pair(Literal(SchemaJson(name).dump()), value), is_required});
    names.push_back(name);
  }
  // Without the keyword, an object is open only if nothing is declared.
  const bool is_open = schema.Has("additionalProperties") ? schema["additionalProperties"] != false
                                                          : !schema.Has("properties");
  if (is_open) {
    ASSIGN_OR_RETURN(ExprMember further, OfFurtherPairs(schema, names));
    members.push_back(std::move(further));
  }
  return json_.Object(members);
}

absl::StatusOr<ExprMember> SchemaCompiler::OfFurtherPairs(const SchemaPlace& schema,
                                                          const std::vector<std::string>& names) {
  ExprPtr value;
  if (schema.Has("additionalProperties")) {
    ASSIGN_OR_RETURN(value, RuleOf(schema.Child("additionalProperties")));
  } else {
    value = json_.Value();
  }
  ExprPtr key = names.empty() ? json_.String() : JsonStringOtherThan(names);
  return ExprMember{json_.Pairs(json_.Pair(std::move(key), std::move(value))), false};
}

absl::StatusOr<ExprPtr> SchemaCompiler::OfArray(const SchemaPlace& schema) {
  ASSIGN_OR_RETURN(const std::optional<int> min_items,
                   schema.Count("minItems", limits_.repetition, "repetition"));
  ASSIGN_OR_RETURN(const std::optional<int> max_items,
                   schema.Count("maxItems", limits_.repetition, "repetition"));
  const int min = min_items.value_or(0);
  if (max_items.has_value() && *max_items < min) {
    return schema.Refuse(absl::StrCat("minItems is ", min, ", maxItems ", *max_items));
  }
  std::vector<ExprPtr> first;
  if (schema.Has("prefixItems")) {
    const SchemaJson& prefix = schema["prefixItems"];
    if (!prefix.is_array()) return schema.Refuse("prefixItems is no list");
    if (prefix.size() > limits_.properties) {
      return schema.Refuse(absl::StrCat("prefixItems has ", prefix.size(), " entries, more than ",
                                        limits_.properties, " (limit properties)"));
    }
    for (size_t i = 0; i < prefix.size(); ++i) {
      if (max_items.has_value() && static_cast<int>(i) >= *max_items) break;
      ASSIGN_OR_RETURN(ExprPtr item, Of(schema.Child("prefixItems", i)));
      first.push_back(std::move(item));
    }
  }
  const auto num_first = static_cast<int>(first.size());
  ExprPtr further;
  // Without the keyword, an array is open only if nothing is declared.
  const bool is_open = schema.Has("items") ? schema["items"] != false : !schema.Has("prefixItems");
  if (is_open && schema.Has("items")) {
    ASSIGN_OR_RETURN(further, RuleOf(schema.Child("items")));
  } else if (is_open) {
    further = json_.Value();
  }
  if (further == nullptr && min > num_first) {
    return schema.Refuse(
        absl::StrCat("minItems is ", min, ", but only ", num_first, " items are declared"));
  }
  const int max = max_items.has_value() ? *max_items - num_first : Expr::kUnbounded;
  return json_.Array(first, std::move(further), min - num_first, max);
}

absl::StatusOr<ExprPtr> SchemaCompiler::OfString(const SchemaPlace& schema) {
  ASSIGN_OR_RETURN(const std::optional<int> min,
                   schema.Count("minLength", limits_.repetition, "repetition"));
  ASSIGN_OR_RETURN(const std::optional<int> max,
                   schema.Count("maxLength", limits_.repetition, "repetition"));
  if (schema.Has("pattern")) {
    if (min.has_value() || max.has_value()) {
      return schema.Refuse(
          "pattern stands beside minLength or maxLength; write the length into the pattern, as in "
          "^[a-z]{1,8}$");
    }
    const SchemaJson& pattern = schema["pattern"];
    if (!pattern.is_string()) return schema.Refuse("pattern is no string");
    absl::StatusOr<ExprPtr> content =
        ParseRegex(pattern.get<std::string>(), RegexMeaning::kSearch, JsonCharacter, limits_);
    if (!content.ok()) {
      return schema.Refuse(absl::StrCat("pattern: ", content.status().message()));
    }
    return JsonString(*std::move(content));
  }
  if (!min.has_value() && !max.has_value()) return json_.String();
  if (max.has_value() && *max < min.value_or(0)) {
    return schema.Refuse(absl::StrCat("minLength is ", *min, ", maxLength ", *max));
  }
  return JsonString(
      Repeat(JsonCharacter(CodePoints::All()), min.value_or(0), max.value_or(Expr::kUnbounded)));
}

absl::StatusOr<ExprPtr> SchemaCompiler::OfInteger(const SchemaPlace& schema) {
  int64_t first = -kGreatestJsonInteger, last = kGreatestJsonInteger;
  bool is_bounded = false;
  constexpr struct {
    absl::string_view key;
    bool is_lower;
  } kBounds[] = {{"minimum", true},
                 {"exclusiveMinimum", true},
                 {"maximum", false},
                 {"exclusiveMaximum", false}};
  for (const auto& [key, is_lower] : kBounds) {
    if (!schema.Has(key)) continue;
    is_bounded = true;
    ASSIGN_OR_RETURN(const int64_t bound, IntegerBound(schema, key, is_lower));
    if (is_lower) {
      first = std::max(first, bound);
    } else {
      last = std::min(last, bound);
    }
  }
  if (first > last) {
    return schema.Refuse(
        absl::StrCat("no integer of at most 18 digits is at least ", first, " and at most ", last));
  }
  return is_bounded ? JsonInteger(first, last) : json_.Integer();
}

}  // namespace shoal
