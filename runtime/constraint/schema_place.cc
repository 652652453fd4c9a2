#include "runtime/constraint/schema_place.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"

#include "runtime/base/status_macros.h"
#include "runtime/base/strict_json.h"

namespace shoal {
namespace {

// They describe, and constrain nothing. $defs and definitions are looked into
// where a $ref leads there.
constexpr absl::string_view kWithoutEffect[] = {
    "$comment",    "$defs",    "$schema",  "default", "definitions", "deprecated",
    "description", "examples", "readOnly", "title",   "writeOnly"};

const std::map<absl::string_view, std::vector<absl::string_view>>& KeywordsByType() {
  static const auto* const keywords =
      new std::map<absl::string_view, std::vector<absl::string_view>>{
          {"array", {"items", "prefixItems", "minItems", "maxItems"}},
          {"boolean", {}},
          {"integer", {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}},
          {"null", {}},
          {"number", {}},
          {"object", {"properties", "required", "additionalProperties"}},
          {"string", {"minLength", "maxLength", "pattern"}},
      };
  return *keywords;
}

}  // namespace

SchemaPlace SchemaPlace::Child(absl::string_view key) const {
  return {&(*this)[key],
          absl::StrCat(pointer, "/", absl::StrReplaceAll(key, {{"~", "~0"}, {"/", "~1"}}))};
}

SchemaPlace SchemaPlace::Child(absl::string_view key, size_t index) const {
  return {&(*this)[key].at(index), absl::StrCat(pointer, "/", key, "/", index)};
}

bool SchemaPlace::Has(absl::string_view key) const {
  return json->is_object() && json->contains(std::string(key));
}

absl::Status SchemaPlace::Refuse(absl::string_view why) const {
  return absl::InvalidArgumentError(absl::StrCat("#", Shown(pointer), ": ", why));
}

absl::Status SchemaPlace::AcceptOnly(const std::vector<absl::string_view>& accepted,
                                     absl::string_view because) const {
  for (const auto& [key, value] : json->items()) {
    if (std::find(accepted.begin(), accepted.end(), key) != accepted.end()) continue;
    if (std::find(std::begin(kWithoutEffect), std::end(kWithoutEffect), key) !=
        std::end(kWithoutEffect)) {
      continue;
    }
    return Refuse(absl::StrCat("keyword \"", Shown(key), "\" is not supported ", because,
                               "; accepted here: ", absl::StrJoin(accepted, ", "),
                               accepted.empty() ? "" : ", ", "and without effect ",
                               absl::StrJoin(kWithoutEffect, ", ")));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<int>> SchemaPlace::Count(absl::string_view key, int most,
                                                      absl::string_view limit) const {
  if (!Has(key)) return std::optional<int>();
  const SchemaJson& value = (*this)[key];
  if (!value.is_number_integer() || value < 0) {
    return Refuse(absl::StrCat(key, " is ", ShownJson(value), ", no count"));
  }
  if (value > most) {
    return Refuse(
        absl::StrCat(key, " is ", ShownJson(value), ", more than ", most, " (limit ", limit, ")"));
  }
  return std::optional<int>(value.get<int>());
}

absl::StatusOr<SchemaTypes> TypesOf(const SchemaPlace& schema) {
  SchemaTypes types;
  if (schema.Has("type")) {
    const SchemaJson& type = schema["type"];
    const SchemaJson list = type.is_array() ? type : SchemaJson::array({type});
    for (const SchemaJson& entry : list) {
      if (!entry.is_string() || KeywordsByType().count(entry.get<std::string>()) == 0) {
        return schema.Refuse(absl::StrCat("type ", ShownJson(entry),
                                          " is none of array, boolean, integer, null, number, "
                                          "object, string"));
      }
      types.push_back(entry.get<std::string>());
    }
    if (types.empty()) return schema.Refuse("type is an empty list");
  } else {
    for (const auto& [type, keywords] : KeywordsByType()) {
      const auto has = [&](absl::string_view key) { return schema.Has(key); };
      if (std::any_of(keywords.begin(), keywords.end(), has)) types.emplace_back(type);
    }
    if (types.size() > 1) {
      return schema.Refuse(
          absl::StrCat("has keywords of ", absl::StrJoin(types, " and "), " and no \"type\""));
    }
  }
  std::sort(types.begin(), types.end());
  types.erase(std::unique(types.begin(), types.end()), types.end());
  return types;
}

const std::vector<absl::string_view>& KeywordsOf(absl::string_view type) {
  return KeywordsByType().at(type);
}

bool HasType(const nlohmann::json& value, absl::string_view type) {
  if (type == "array") return value.is_array();
  if (type == "boolean") return value.is_boolean();
  if (type == "null") return value.is_null();
  if (type == "number") return value.is_number();
  if (type == "object") return value.is_object();
  if (type == "string") return value.is_string();
  // A number without a fraction is an integer, however it is written.
  return value.is_number_integer() ||
         (value.is_number_float() && std::trunc(value.get<double>()) == value.get<double>());
}

}  // namespace shoal
