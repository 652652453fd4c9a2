#include "runtime/base/strict_json.h"

#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "gtest/gtest.h"

namespace shoal {
namespace {

std::string ErrorOf(const std::string& text, int max_depth = 4) {
  const auto parsed = ParseStrictJson(text, "x.json", max_depth);
  EXPECT_FALSE(parsed.ok()) << text;
  return std::string(parsed.status().message());
}

TEST(ParseStrictJson, KeepsEveryKindOfValue) {
  const std::string text = R"({"a":[1,-2,2.5,"x",null,true,{}],"b":{"c":18446744073709551615}})";
  const auto parsed = ParseStrictJson(text, "x.json", 3);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->dump(), text);
}

TEST(ParseStrictJson, RefusesAKeyThatStandsTwice) {
  EXPECT_EQ(ErrorOf(R"({"a":1,"b":{"c":1,"c":1}})"),
            "x.json: key \"c\" stands twice in one object");
  EXPECT_EQ(ErrorOf(R"({"a":1,"\u0061":2})"), "x.json: key \"a\" stands twice in one object");
  EXPECT_TRUE(ParseStrictJson(R"([{"a":1},{"a":2}])", "x.json").ok());
}

TEST(ParseStrictJson, RefusesDepthBeforeItIsReached) {
  EXPECT_TRUE(ParseStrictJson("[[[[1]]]]", "x.json", 4).ok());
  EXPECT_EQ(ErrorOf("[[[[[1]]]]]"), "x.json: nested deeper than 4 levels");
  EXPECT_EQ(ErrorOf(std::string(1 << 20, '[')), "x.json: nested deeper than 4 levels");
}

TEST(ParseStrictJson, RefusesWhatIsNotOneDocument) {
  for (const char* text : {"", "{", "{} {}", "{}x", "{'a':1}", "{\"a\":01}", "[1,]", "\"\x80\"",
                           "\"\xff\xfe\"", "[NaN]", "[1e999]", "// comment\n{}"}) {
    EXPECT_NE(ErrorOf(text).find("x.json: not JSON at byte "), std::string::npos) << text;
  }
}

TEST(ParseStrictJson, AForgedKeyStaysOnItsLine) {
  EXPECT_EQ(ErrorOf(R"({"a\nERROR":1,"a\nERROR":2})"),
            "x.json: key \"a\\nERROR\" stands twice in one object");
}

TEST(Shown, IsOneShortLine) {
  EXPECT_EQ(Shown("model.layers.0"), "model.layers.0");
  EXPECT_EQ(Shown(absl::string_view("a\n\x1b[31m\0\x7f", 9)), "a\\n\\x1b[31m\\x00\\x7f");
  EXPECT_EQ(Shown("\xe4\xb8\xad"), "\xe4\xb8\xad");
  // Not ASCII, and yet a control (CSI), a new line (NEL, U+2028), or no UTF-8 at all.
  EXPECT_EQ(Shown("a\xc2\x9bz"), "a\\xc2\\x9bz");
  EXPECT_EQ(Shown("a\xc2\x85z"), "a\\xc2\\x85z");
  EXPECT_EQ(Shown("a\xe2\x80\xa8z"), "a\\xe2\\x80\\xa8z");
  for (const char* text :
       {"\xff", "\xe4\xb8", "\xc0\x8a", "\xe0\x80\x8a", "\xed\xa0\x80", "\xf4\x90\x80\x80"})
    EXPECT_EQ(Shown(text), absl::CHexEscape(text));
  EXPECT_EQ(Shown(std::string(120, 'x')), std::string(120, 'x'));
  EXPECT_EQ(Shown(std::string(1000, 'x')), std::string(120, 'x') + "... (1000 bytes)");
  // The cut does not tear a character apart.
  EXPECT_EQ(Shown(std::string(119, 'x') + "\xe4\xb8\xad"),
            std::string(119, 'x') + "... (122 bytes)");
  EXPECT_EQ(ShownJson(nlohmann::json({{"a", "\n\x7f"}, {"b", 2.5}})),
            R"({"a":"\n\u007f","b":2.5})");
  EXPECT_EQ(ShownJson(nlohmann::json(std::vector<int>(200, 7))).size(),
            120 + sizeof("... (401 bytes)") - 1);
}

}  // namespace
}  // namespace shoal
