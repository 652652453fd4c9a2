#include "runtime/constraint/random_schema.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace shoal {
namespace {

using Json = RandomSchema::Json;

// A pattern and texts that match it. Chance comes to the end of each soon, and
// a matcher of bytes, which the check has, understands them.
const std::vector<std::pair<std::string, std::vector<std::string>>>& Patterns() {
  static const auto* const patterns =
      new std::vector<std::pair<std::string, std::vector<std::string>>>{
          {"^[a-z]{1,6}$", {"a", "zebra"}},           {"^\\d{3}-\\d{4}$", {"555-1234"}},
          {"^(yes|no|may\"be)$", {"yes", "may\"be"}}, {"^#[0-9A-F]{6}$", {"#00FF9A"}},
          {"^[ab]?b\\\\c", {"b\\c", "ab\\cd"}},       {"^x|^[ab]y$", {"x", "xa", "ay"}},
      };
  return *patterns;
}

const std::vector<std::string>& Names() {
  static const auto* const names = new std::vector<std::string>{
      "a", "b", "name", "na", "kind", "né", "with space", "q\"uote", "€", "id"};
  return *names;
}

}  // namespace

Json RandomSchema::Make(int depth) {
  Json node = {
      {"type", "object"},
      {"properties",
       {{"v", Scalar()},
        {"next", {{"anyOf", Json::array({{{"$ref", "#/$defs/node"}}, {{"type", "null"}}})}}}}},
      {"required", {"v", "next"}},
      {"additionalProperties", false}};
  Json document = Schema(depth);
  if (document.is_boolean()) document = Json::object();
  document["$defs"] = {{"node", std::move(node)}};
  return document;
}

Json RandomSchema::Scalar() {
  switch (Below(11)) {
    case 0:
      return {{"type", "string"}};
    case 1:
      return {{"type", "string"}, {"minLength", Below(3)}, {"maxLength", 3 + Below(5)}};
    case 2:
      return {{"type", "string"},
              {"pattern", Patterns()[Below(static_cast<int>(Patterns().size()))].first}};
    case 3:
      return {{"type", "integer"}};
    case 4: {
      const int first = Below(2000) - 1000;
      return {{"type", "integer"}, {"minimum", first}, {"maximum", first + Below(500)}};
    }
    case 5:
      return {{"type", "number"}};
    case 6:
      return {{"type", "boolean"}};
    case 7:
      return {{"type", Json::array({"null", "integer", "string"})}};
    case 8:
      return {{"enum", Json::array({"red", "green", 3, nullptr, "é\"\n", Json::array({1, "x"})})}};
    case 9:
      return {{"const", Json{{"z", 1}, {"a", "t"}}}};
    default:
      return {{"type", "string"}, {"title", "t"}, {"minLength", 1}};
  }
}

Json RandomSchema::Object(int depth) {
  Json schema = {{"type", "object"}};
  std::vector<std::string> names = Names();
  std::shuffle(names.begin(), names.end(), random_);
  names.resize(static_cast<size_t>(Below(5)));
  Json properties = Json::object(), required = Json::array();
  for (const std::string& name : names) {
    properties[name] = Schema(depth - 1);
    if (Below(2) == 0) required.push_back(name);
  }
  if (Below(6) > 0) schema["properties"] = properties;
  if (schema.contains("properties") && Below(4) > 0) schema["required"] = required;
  const int further = Below(4);
  if (further == 1) schema["additionalProperties"] = false;
  if (further == 2) schema["additionalProperties"] = Schema(0);
  if (further == 3 && Below(2) == 0) schema["additionalProperties"] = true;
  return schema;
}

Json RandomSchema::Array(int depth) {
  Json schema = {{"type", "array"}};
  const int num_first = Below(3);
  if (num_first > 0) {
    Json first = Json::array();
    for (int i = 0; i < num_first; ++i) first.push_back(Schema(depth - 1));
    schema["prefixItems"] = first;
  }
  if (Below(3) > 0) schema["items"] = Schema(depth - 1);
  const int min = Below(3);
  if (Below(2) == 0 && (schema.contains("items") || num_first == 0)) schema["minItems"] = min;
  if (Below(2) == 0) schema["maxItems"] = min + Below(3);
  return schema;
}

Json RandomSchema::Schema(int depth) {
  if (depth <= 0) return Scalar();
  switch (Below(9)) {
    case 0:
    case 1:
    case 2:
      return Object(depth);
    case 3:
    case 4:
      return Array(depth);
    case 5:
      return {{"anyOf", Json::array({Schema(depth - 1), Schema(depth - 1), Scalar()})}};
    case 6: {
      Json a = Object(0), b = Object(0);
      a["properties"]["kind"] = {{"const", "a"}};
      b["properties"]["kind"] = {{"enum", {"b", "c"}}};
      a["required"] = b["required"] = Json::array({"kind"});
      return {{"oneOf", Json::array({a, b, {{"type", "integer"}}})}};
    }
    case 7:
      return {{"$ref", "#/$defs/node"}};
    default:
      return Scalar();
  }
}

std::string RandomSchema::Text(int min, int max) {
  static const char* const kParts[] = {"a",  "b", " ",  "é",  "€", "😀", "\"",  "\\",
                                       "\n", "/", "\t", "\b", "0", "{", "\x1F"};
  std::string text;
  const int length = min + Below(max - min + 1);
  for (int i = 0; i < length; ++i) text += kParts[Below(15)];
  return text;
}

Json RandomSchema::AnyValue(int room) {
  switch (Below(room > 0 ? 7 : 5)) {
    case 0:
      return Text(0, 6);
    case 1:
      return Below(1000) - 500;
    case 2:
      return (Below(1000) - 500) / 16.0 * (Below(2) == 0 ? 1e-9 : 1e12);
    case 3:
      return Below(2) == 0;
    case 4:
      return nullptr;
    case 5:
      return Json::array({AnyValue(room - 1), AnyValue(room - 1)});
    default:
      return {{"k", AnyValue(room - 1)}, {Text(1, 3), AnyValue(room - 1)}};
  }
}

Json RandomSchema::ObjectOf(const Json& schema, const Json& document, int room) {
  Json value = Json::object();
  const Json none = Json::object();
  const Json& properties = schema.contains("properties") ? schema["properties"] : none;
  for (const auto& [name, property] : properties.items()) {
    const bool is_required = schema.contains("required") &&
                             std::find(schema["required"].begin(), schema["required"].end(),
                                       name) != schema["required"].end();
    if (is_required || Below(2) == 0) value[name] = ValueOf(property, document, room - 1);
  }
  const bool is_open = schema.contains("additionalProperties")
                           ? schema["additionalProperties"] != false
                           : !schema.contains("properties");
  for (int i = is_open ? Below(3) : 0; i > 0; --i) {
    const std::string name = absl::StrCat("further", i, Text(0, 2));
    const bool is_any =
        !schema.contains("additionalProperties") || schema["additionalProperties"].is_boolean();
    value[name] =
        is_any ? AnyValue(room) : ValueOf(schema["additionalProperties"], document, room - 1);
  }
  return value;
}

Json RandomSchema::ArrayOf(const Json& schema, const Json& document, int room) {
  Json value = Json::array();
  const int min = schema.value("minItems", 0);
  const int num_first =
      schema.contains("prefixItems") ? static_cast<int>(schema["prefixItems"].size()) : 0;
  const bool is_open = schema.contains("items") || num_first == 0;
  const int most =
      std::min(schema.value("maxItems", std::max(min, num_first) + 2), is_open ? 1000 : num_first);
  const int size = min + Below(most - min + 1);
  for (int i = 0; i < size; ++i) {
    if (i < num_first) {
      value.push_back(ValueOf(schema["prefixItems"][i], document, room - 1));
    } else if (schema.contains("items")) {
      value.push_back(ValueOf(schema["items"], document, room - 1));
    } else {
      value.push_back(AnyValue(room - 1));
    }
  }
  return value;
}

Json RandomSchema::ValueOf(const Json& schema, const Json& document, int room) {
  if (schema.contains("$ref")) return ValueOf(document["$defs"]["node"], document, room);
  if (schema.contains("const")) return schema["const"];
  if (schema.contains("enum"))
    return schema["enum"][Below(static_cast<int>(schema["enum"].size()))];
  for (const char* keyword : {"anyOf", "oneOf"}) {
    if (!schema.contains(keyword)) continue;
    const Json& list = schema[keyword];
    // The last one ends a recursion.
    const int size = static_cast<int>(list.size());
    return ValueOf(list[room <= 0 ? size - 1 : Below(size)], document, room - 1);
  }
  std::string type = "any";
  if (schema.contains("type")) {
    const Json& types = schema["type"];
    type = types.is_array() ? types[Below(static_cast<int>(types.size()))] : types;
  }
  if (type == "object") return ObjectOf(schema, document, room);
  if (type == "array") return ArrayOf(schema, document, room);
  if (type == "null") return nullptr;
  if (type == "boolean") return Below(2) == 0;
  if (type == "number") return (Below(20001) - 10000) / 64.0;
  if (type == "integer") {
    const int first = schema.value("minimum", -100000);
    return first + Below(schema.value("maximum", 100000) - first + 1);
  }
  if (type == "any") return AnyValue(room);
  if (!schema.contains("pattern")) {
    const int min = schema.value("minLength", 0);
    return Text(min, schema.value("maxLength", 12));
  }
  for (const auto& [pattern, texts] : Patterns()) {
    if (pattern == schema["pattern"]) return texts[Below(static_cast<int>(texts.size()))];
  }
  return nullptr;
}

}  // namespace shoal
