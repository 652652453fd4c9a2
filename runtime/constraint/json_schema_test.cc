#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gtest/gtest.h"

#include "runtime/constraint/text_matcher.h"

namespace shoal {
namespace {

ConstraintSpec Schema(std::string schema) {
  return {.kind = ConstraintSpec::Kind::kJsonSchema, .text = std::move(schema)};
}

struct Example {
  const char* schema;
  std::vector<std::string> matches;
  std::vector<std::string> others;
};

void ExpectAll(const std::vector<Example>& examples) {
  for (const Example& example : examples) {
    SCOPED_TRACE(example.schema);
    ASSERT_EQ(Refusal(Schema(example.schema)), "");
    const Program program = Compiled(Schema(example.schema));
    for (const std::string& text : example.matches) {
      EXPECT_EQ(MatchOf(program, text), Match::kWhole) << text;
    }
    for (const std::string& text : example.others) {
      EXPECT_NE(MatchOf(program, text), Match::kWhole) << text;
    }
  }
}

TEST(JsonSchema, Scalars) {
  ExpectAll({
      {"true", {"1", "{\"a\":[]}", " null"}, {"", "nul"}},
      {"{}", {"1", "[1]"}, {"1 1"}},
      {R"({"type":"null"})", {"null"}, {"0", "\"null\""}},
      {R"({"type":"boolean"})", {"true", "false"}, {"null"}},
      {R"({"type":"integer"})", {"0", "-7", "123"}, {"1.0", "\"1\"", "-0"}},
      {R"({"type":"number"})", {"0", "-7.25e3", "1"}, {"\"1\"", "true"}},
      {R"({"type":["integer","null"]})", {"4", "null"}, {"true", "\"\""}},
      {R"({"type":["integer","number"]})", {"4", "4.5"}, {"true"}},
      {R"({"type":"integer","minimum":-3,"exclusiveMaximum":5})", {"-3", "4"}, {"-4", "5"}},
      {R"({"type":"integer","minimum":0.5,"maximum":2.5})", {"1", "2"}, {"0", "3"}},
      {R"({"type":"integer","exclusiveMinimum":1.5,"maximum":1e300})", {"2", "99999"}, {"1"}},
      {R"({"exclusiveMinimum":7})", {"8"}, {"7", "\"a\""}},
      {R"({"type":"string"})", {"\"\"", "\"a\\u0041\""}, {"a", "\""}},
      {R"({"type":"string","minLength":2,"maxLength":3})",
       {"\"ab\"", "\"é€😀\"", "\"\\n\\\"\""},
       {"\"a\"", "\"abcd\"", "\"\\u0061b\""}},
      {R"({"minLength":1})", {"\"a\""}, {"\"\""}},
      {R"({"type":"string","pattern":"^[a-c]+$"})", {"\"abc\""}, {"\"\"", "\"abd\""}},
      {R"({"type":"string","pattern":"b"})", {"\"b\"", "\"abc\"", "\"b\\n\""}, {"\"ac\""}},
      {R"({"type":"string","pattern":"^a|b$"})", {"\"ax\"", "\"xb\""}, {"\"xbx\""}},
      {R"({"type":"string","pattern":"^\"\\\\\n$"})", {R"("\"\\\n")"}, {"\"\"\""}},
  });
}

TEST(JsonSchema, ListedValues) {
  ExpectAll({
      {R"({"const":{"b":1,"a":[null,"x"]}})",
       {R"({"b":1,"a":[null,"x"]})", "{\n \"b\": 1, \"a\": [ null,\"x\"]}"},
       {"{}", R"({"a":[null,"x"],"b":1})", R"({"b":1,"a":[null]})"}},
      {R"({"enum":["a",1,null,"é\""]})", {"\"a\"", "1", "null", "\"é\\\"\""}, {"2", "\"b\""}},
      {R"({"type":"integer","enum":["a",1,2.0,2.5]})", {"1", "2.0"}, {"\"a\"", "2.5"}},
      {R"({"enum":[true,false],"title":"t"})", {"true"}, {"null"}},
  });
}

TEST(JsonSchema, Objects) {
  ExpectAll({
      {R"({"type":"object"})", {"{}", "{\"a\":1}"}, {"[]"}},
      {R"({"type":"object","additionalProperties":false})", {"{}", "{ }"}, {"{\"a\":1}"}},
      {R"({"type":"object","additionalProperties":{"type":"integer"}})",
       {"{}", "{\"a\":1}", "{\"a\":1, \"b\":2}"},
       {"{\"a\":\"1\"}"}},
      {R"({"properties":{"z":{"type":"integer"},"a":{"type":"null"},"m":{"const":1}},
           "required":["a"]})",
       {R"({"a":null})", R"({"z":1,"a":null})", R"({"z": 1, "a": null, "m": 1})",
        "{\n  \"a\": null,\n  \"m\": 1\n}"},
       {"{}", R"({"z":1})", R"({"a":null,"z":1})", R"({"a":null,})", R"({"a":null,"x":1})",
        R"({"a":null,"a":null})", R"({,"a":null})"}},
      {R"({"properties":{"a":{"type":"integer"}},"additionalProperties":{"type":"string"}})",
       {"{}", R"({"a":1})", R"({"a":1,"b":"x","c":"y"})", R"({"b":"x"})", R"({"aa":"x"})"},
       {R"({"a":"x"})", R"({"b":1})", R"({"b":"x","a":1})", R"({"b":"x","a":"x"})",
        R"({"\u0061":"x"})"}},
      {R"({"properties":{"a":{}},"additionalProperties":true})",
       {R"({"b":1,"c":[]})", R"({"a":{}})"},
       {R"({"b":1,"a":1})"}},
  });
}

TEST(JsonSchema, Arrays) {
  ExpectAll({
      {R"({"type":"array"})", {"[]", "[1,\"a\",[]]"}, {"{}", "[1,]"}},
      {R"({"type":"array","items":{"type":"integer"}})", {"[]", "[1]", "[1, 2]"}, {"[\"a\"]"}},
      {R"({"items":{"type":"integer"},"minItems":2,"maxItems":3})",
       {"[1,2]", "[1,2,3]"},
       {"[]", "[1]", "[1,2,3,4]"}},
      {R"({"items":{"type":"null"},"maxItems":0})", {"[]"}, {"[null]"}},
      {R"({"items":{"type":"null"},"maxItems":1})", {"[]", "[null]"}, {"[null,null]"}},
      {R"({"items":false})", {"[]"}, {"[1]"}},
      {R"({"prefixItems":[{"const":1},{"const":2}]})",
       {"[]", "[1]", "[1,2]"},
       {"[2]", "[1,2,3]", "[1,1]"}},
      {R"({"prefixItems":[{"const":1},{"const":2}],"minItems":1,"items":{"const":3}})",
       {"[1]", "[1,2]", "[1,2,3,3]"},
       {"[]", "[1,3]", "[1,2,3,2]"}},
      {R"({"prefixItems":[{"const":1}],"items":{"const":3},"minItems":3,"maxItems":4})",
       {"[1,3,3]", "[1,3,3,3]"},
       {"[1,3]", "[1,3,3,3,3]"}},
      {R"({"prefixItems":[{"const":1},{"const":2}],"maxItems":1})", {"[]", "[1]"}, {"[1,2]"}},
  });
}

TEST(JsonSchema, AlternativesAndReferences) {
  ExpectAll({
      {R"({"anyOf":[{"type":"integer"},{"type":"number"},{"const":"x"}]})",
       {"1", "1.5", "\"x\""},
       {"\"y\""}},
      {R"({"oneOf":[{"type":"integer"},{"type":"string"}]})", {"1", "\"a\""}, {"null"}},
      {R"({"allOf":[{"$ref":"#/$defs/a~1b"}],"description":"d","$defs":{"a/b":{"const":7}}})",
       {"7"},
       {"8"}},
      {R"({"$ref":"#/$defs/list","$defs":{"list":{"type":"object","properties":{
           "v":{"type":"integer"},"next":{"anyOf":[{"$ref":"#/$defs/list"},{"type":"null"}]}},
           "required":["v","next"]}}})",
       {R"({"v":1,"next":null})", R"({"v":1,"next":{"v":2,"next":{"v":3,"next":null}}})"},
       {R"({"v":1})", R"({"v":1,"next":{}})"}},
      {R"({"properties":{"children":{"type":"array","items":{"$ref":"#"}}}})",
       {"{}", R"({"children":[{},{"children":[]}]})"},
       {R"({"children":[1]})"}},
      {R"({"oneOf":[{"type":"object","properties":{"kind":{"const":"a"},"x":{"type":"integer"}},
            "required":["kind","x"]},{"$ref":"#/$defs/b"}],
            "$defs":{"b":{"type":"object","properties":{"kind":{"enum":["b","c"]}},
            "required":["kind"]}}})",
       {R"({"kind":"a","x":1})", R"({"kind":"b"})", R"({"kind":"c"})"},
       {R"({"kind":"a"})", R"({"kind":"b","x":1})"}},
  });
}

TEST(JsonSchema, RefusesByPlaceAndKeyword) {
  const std::vector<std::pair<std::string, std::string>> refusals = {
      {"{", "schema: not JSON at byte 2"},
      {"1", "#: 1 is no schema"},
      {"false", "#: false allows no value"},
      {R"({"a":1,"a":2})", "key \"a\" stands twice"},
      {R"({"properties":{"a":{"type":"string","format":"date"}}})",
       "#/properties/a: keyword \"format\" is not supported for type string; accepted here: type, "
       "minLength, maxLength, pattern"},
      {R"({"type":"object","patternProperties":{}})", "\"patternProperties\""},
      {R"({"type":"object","minProperties":1})", "\"minProperties\""},
      {R"({"not":{}})", "keyword \"not\" is not supported here; accepted here: type, $ref, const"},
      {R"({"type":"number","minimum":0})", "keyword \"minimum\" is not supported for type number"},
      {R"({"type":"integer","multipleOf":2})", "\"multipleOf\""},
      {R"({"type":"array","uniqueItems":true})", "\"uniqueItems\""},
      {R"({"type":"array","contains":{}})", "\"contains\""},
      {R"({"if":{}})", "\"if\""},
      {R"({"type":"string","nullable":true})", "\"nullable\""},
      {R"({"$ref":"#/$defs/a","type":"string","$defs":{"a":{}}})",
       "keyword \"type\" is not supported beside $ref"},
      {R"({"$ref":"other.json"})", "$ref is \"other.json\"; accepted: # and #/..."},
      {R"({"$ref":"#/$defs/a%20b"})", "accepted: # and #/..."},
      {R"({"$ref":"#/$defs/none"})", "where nothing stands"},
      {R"({"$ref":"#/~2"})", "where nothing stands"},
      {R"({"$ref":5})", "$ref is 5"},
      {R"({"anyOf":[{"type":"null"}],"type":"null"})", "\"type\" is not supported beside anyOf"},
      {R"({"anyOf":[]})", "anyOf is no list of schemas"},
      {R"({"allOf":[{},{}]})", "allOf has 2 entries; accepted: one"},
      {R"({"oneOf":[{"type":"integer"},{"type":"number"}]})", "#/oneOf/1: of oneOf, it may allow"},
      {R"({"oneOf":[{"const":1},{"enum":[2,1.0]}]})", "#/oneOf/1: of oneOf"},
      {R"({"oneOf":[{"const":{"a":1,"b":2}},{"const":{"b":2,"a":1}}]})", "#/oneOf/1: of oneOf"},
      {R"({"oneOf":[{"type":"object","properties":{"k":{"const":1}}},
                    {"type":"object","properties":{"k":{"const":2}}}]})",
       "#/oneOf/1: of oneOf"},
      {R"({"oneOf":[{"$ref":"#/$defs/a"},{"type":"object"}],"$defs":{"a":{"type":"object",
           "properties":{"b":1},"required":[7,"c","b"]}}})",
       "#/oneOf/1: of oneOf"},
      {R"({"type":"strnig"})", "type \"strnig\" is none of array, boolean"},
      {R"({"type":[]})", "type is an empty list"},
      {R"({"minLength":1,"minItems":1})", "has keywords of array and string and no \"type\""},
      {R"({"properties":[]})", "properties is no object"},
      {R"({"properties":{"a":{}},"required":["b"]})", "required names \"b\", which properties"},
      {R"({"properties":{"a":{}},"required":"a"})", "required is no list"},
      {R"({"properties":{"a":false}})", "#/properties/a: false allows no value"},
      {R"({"items":3})", "#/items: 3 is no schema"},
      {R"({"additionalProperties":3})", "#/additionalProperties: 3 is no schema"},
      {R"({"minItems":3,"maxItems":2})", "minItems is 3, maxItems 2"},
      {R"({"minItems":-1})", "minItems is -1, no count"},
      {R"({"minItems":1.5})", "minItems is 1.5, no count"},
      {R"({"prefixItems":[{}],"minItems":2})", "minItems is 2, but only 1 items are declared"},
      {R"({"minLength":3,"maxLength":2})", "minLength is 3, maxLength 2"},
      {R"({"maxLength":5000})", "maxLength is 5000, more than 4096 (limit repetition)"},
      {R"({"pattern":"a","minLength":2})", "pattern stands beside minLength"},
      {R"x({"pattern":"(?=a)"})x", "#: pattern: at byte 1: of the groups"},
      {R"({"pattern":3})", "pattern is no string"},
      {R"({"minimum":3,"maximum":2})",
       "no integer of at most 18 digits is at least 3 and at most 2"},
      {R"({"minimum":1e30})", "no integer of at most 18 digits"},
      {R"({"minimum":"1"})", "minimum is \"1\", no number"},
      {R"({"enum":[]})", "enum has no value"},
      {R"({"enum":3})", "enum is no list"},
      {R"({"enum":[1],"type":"string"})", "enum has no value of the schema's type"},
      {R"({"const":1,"minimum":0})", "keyword \"minimum\" is not supported beside const"},
      {R"({"$schema":"http://json-schema.org/draft-04/schema#"})", "$schema is"},
      {R"({"$ref":"#"})", "a reference leads back to itself"},
      {R"({"properties":{"a":{"$ref":"#"}},"required":["a"]})", "no finite text satisfies it"},
  };
  for (const auto& [schema, why] : refusals) {
    const std::string refusal = Refusal(Schema(schema));
    EXPECT_TRUE(absl::StrContains(refusal, why)) << schema << " -> " << refusal;
    EXPECT_TRUE(absl::StartsWith(refusal, "json_schema: ")) << refusal;
  }
}

std::string Repeated(const std::string& text, int n) {
  return absl::StrJoin(std::vector<std::string>(n, text), "");
}

TEST(JsonSchema, BombsAreRefusedByWhatTheyCost) {
  std::string many = R"({"properties":{)", refs = R"({"$defs":{"x":{}},"anyOf":[)";
  for (int i = 0; i < 600; ++i) absl::StrAppend(&many, i > 0 ? "," : "", "\"p", i, "\":{}");
  for (int i = 0; i < 65; ++i) absl::StrAppend(&refs, i > 0 ? "," : "", R"({"$ref":"#/$defs/x"})");
  std::string rules = R"({"properties":{)";
  for (int p = 0; p < 4; ++p) {
    absl::StrAppend(&rules, p > 0 ? "," : "", "\"q", p, R"(":{"properties":{)");
    for (int i = 0; i < 300; ++i) {
      absl::StrAppend(&rules, i > 0 ? "," : "", "\"p", i, R"(":{"items":{}})");
    }
    rules += "}}";
  }
  std::string choices = R"({"enum":[0)";
  for (int i = 1; i < 5000; ++i) absl::StrAppend(&choices, ",", i);
  const std::vector<std::pair<std::string, std::string>> bombs = {
      {Repeated(R"({"items":)", 40) + "{}" + Repeated("}", 40), "nested deeper than 32 levels"},
      {many + "}}", "600 properties, more than 512 (limit properties)"},
      {refs + "]}", "anyOf has 65 entries, more than 64 (limit alternatives)"},
      {rules + "}}", "(limit rules)"},
      {choices + "]}", "enum has 5000 entries, more than 4096 (limit entries)"},
      {R"({"prefixItems":[)" + Repeated(R"({"maxLength":4096},)", 200) + "{}]}",
       "limit nfa_states"},
      {R"({"type":"string","pattern":"(a|b)*a(a|b){30}"})", "limit states"},
      {"\"" + std::string(70000, 'a') + "\"", "limit text_bytes"},
      {R"({"properties":{")" + std::string(257, 'a') + R"(":{}}})", "257 bytes, more than 256"},
  };
  for (const auto& [schema, why] : bombs) {
    const std::string refusal = Refusal(Schema(schema));
    EXPECT_TRUE(absl::StrContains(refusal, why)) << schema.substr(0, 60) << " -> " << refusal;
  }
}

}  // namespace
}  // namespace shoal
