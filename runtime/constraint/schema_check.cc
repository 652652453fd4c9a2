#include "runtime/constraint/schema_check.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <regex>
#include <string>

namespace shoal {
namespace {

using nlohmann::json;

bool HasTheType(const json& value, const std::string& type) {
  if (type == "integer") {
    return value.is_number_integer() ||
           (value.is_number() && std::floor(value.get<double>()) == value.get<double>());
  }
  return (type == "null" && value.is_null()) || (type == "boolean" && value.is_boolean()) ||
         (type == "number" && value.is_number()) || (type == "string" && value.is_string()) ||
         (type == "array" && value.is_array()) || (type == "object" && value.is_object());
}

size_t NumCodePoints(const std::string& text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

bool StringSatisfies(const std::string& text, const json& schema) {
  const size_t length = NumCodePoints(text);
  if (schema.contains("minLength") && length < schema["minLength"]) return false;
  if (schema.contains("maxLength") && length > schema["maxLength"]) return false;
  return !schema.contains("pattern") ||
         std::regex_search(text, std::regex(schema["pattern"].get<std::string>()));
}

bool NumberSatisfies(const json& value, const json& schema) {
  return (!schema.contains("minimum") || value >= schema["minimum"]) &&
         (!schema.contains("maximum") || value <= schema["maximum"]) &&
         (!schema.contains("exclusiveMinimum") || value > schema["exclusiveMinimum"]) &&
         (!schema.contains("exclusiveMaximum") || value < schema["exclusiveMaximum"]);
}

bool ArraySatisfies(const json& value, const json& schema, const json& document) {
  if (schema.contains("minItems") && value.size() < schema["minItems"]) return false;
  if (schema.contains("maxItems") && value.size() > schema["maxItems"]) return false;
  for (size_t i = 0; i < value.size(); ++i) {
    if (schema.contains("prefixItems") && i < schema["prefixItems"].size()) {
      if (!SatisfiesSchema(value[i], schema["prefixItems"][i], document)) return false;
    } else if (schema.contains("items")) {
      if (!SatisfiesSchema(value[i], schema["items"], document)) return false;
    }
  }
  return true;
}

bool ObjectSatisfies(const json& value, const json& schema, const json& document) {
  for (const json& name : schema.value("required", json::array())) {
    if (!value.contains(name.get<std::string>())) return false;
  }
  for (const auto& [name, member] : value.items()) {
    if (schema.contains("properties") && schema["properties"].contains(name)) {
      if (!SatisfiesSchema(member, schema["properties"][name], document)) return false;
    } else if (schema.contains("additionalProperties")) {
      if (!SatisfiesSchema(member, schema["additionalProperties"], document)) return false;
    }
  }
  return true;
}

}  // namespace

bool SatisfiesSchema(const json& value, const json& schema, const json& document) {
  if (schema.is_boolean()) return schema.get<bool>();
  if (schema.contains("$ref")) {
    const json::json_pointer target(schema["$ref"].get<std::string>().substr(1));
    if (!SatisfiesSchema(value, document.at(target), document)) return false;
  }
  if (schema.contains("const") && value != schema["const"]) return false;
  if (schema.contains("enum")) {
    const json& list = schema["enum"];
    if (std::find(list.begin(), list.end(), value) == list.end()) return false;
  }
  for (const char* keyword : {"anyOf", "oneOf", "allOf"}) {
    if (!schema.contains(keyword)) continue;
    const json& list = schema[keyword];
    const auto count =
        static_cast<size_t>(std::count_if(list.begin(), list.end(), [&](const json& part) {
          return SatisfiesSchema(value, part, document);
        }));
    const std::string name = keyword;
    if (name == "anyOf" ? count == 0 : count != (name == "oneOf" ? 1 : list.size())) return false;
  }
  if (schema.contains("type")) {
    const json types = schema["type"].is_array() ? schema["type"] : json::array({schema["type"]});
    if (std::none_of(types.begin(), types.end(),
                     [&](const json& type) { return HasTheType(value, type); })) {
      return false;
    }
  }
  if (value.is_string()) return StringSatisfies(value, schema);
  if (value.is_number()) return NumberSatisfies(value, schema);
  if (value.is_array()) return ArraySatisfies(value, schema, document);
  if (value.is_object()) return ObjectSatisfies(value, schema, document);
  return true;
}

}  // namespace shoal
