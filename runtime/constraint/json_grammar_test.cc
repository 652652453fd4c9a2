#include "runtime/constraint/json_grammar.h"

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

#include "runtime/constraint/code_points.h"
#include "runtime/constraint/expr.h"
#include "runtime/constraint/json_text.h"
#include "runtime/constraint/limits.h"
#include "runtime/constraint/program.h"
#include "runtime/constraint/spec.h"
#include "runtime/constraint/text_matcher.h"

namespace shoal {
namespace {

const ConstraintSpec kObject = {.kind = ConstraintSpec::Kind::kJsonObject};

TEST(JsonObject, IsRfc8259WithinItsBounds) {
  const Program program = Compiled(kObject);
  for (const char* text :
       {"{}", "{ }", " \n{\"a\":1}", "{\"a\" : [ 1 , 2.5e-3, -0, true,false ,null ]\n}",
        "{\"\":{}}", "{\"a\":{\"b\":[[],{}]},\"a\":\"x\"}", "{\"k\":\"\\u00e9\\\"\\/\\b\"}",
        "{\"k\":\"é€😀\"}", "{\"k\":\"\\uD83D\\uDE00\"}", "{\"k\":-12.50E+07}", "{\"k\":0.0}"}) {
    EXPECT_EQ(MatchOf(program, text), Match::kWhole) << text;
    EXPECT_TRUE(nlohmann::json::accept(std::string(text))) << text;
  }
  for (const char* text : {"[]",
                           "1",
                           "\"a\"",
                           "{,}",
                           "{\"a\"}",
                           "{a:1}",
                           "{\"a\":01}",
                           "{\"a\":.5}",
                           "{\"a\":1.}",
                           "{\"a\":+1}",
                           "{\"a\":1e}",
                           "{\"a\":1,}",
                           "{\"a\":[1,]}",
                           "{\"a\":tru}",
                           "{\"a\":NaN}",
                           "{\"a\":\"\n\"}",
                           "{\"a\":\"\\x\"}",
                           "{\"a\":\"\\u12G4\"}",
                           "{\"a\":\"\xC3\"}",
                           "{\"a\":\"\xED\xA0\x80\"}",
                           "{\"a\":\"\\uD83D\"}",
                           "{\"a\":\"\\uDE00\"}",
                           "{\"a\":1}}"}) {
    EXPECT_NE(MatchOf(program, text), Match::kWhole) << text;
    EXPECT_FALSE(nlohmann::json::accept(std::string(text)) && text[0] == '{') << text;
  }
  // Narrower than the RFC, as the README says.
  EXPECT_EQ(MatchOf(program, "{} "), Match::kNo);
  EXPECT_EQ(MatchOf(program, "{\"a\":1e100}"), Match::kNo);
  EXPECT_EQ(MatchOf(program, absl::StrCat("{", std::string(32, ' '), "}")), Match::kWhole);
  EXPECT_EQ(MatchOf(program, absl::StrCat("{", std::string(33, ' '))), Match::kNo);
}

TEST(JsonObject, WithoutWhitespaceIsCompact) {
  const Program program = Compiled(kObject, {.whitespace = 0});
  EXPECT_EQ(MatchOf(program, "{\"a\":[1,2]}"), Match::kWhole);
  EXPECT_EQ(MatchOf(program, "{\"a\": 1}"), Match::kNo);
  EXPECT_EQ(MatchOf(program, " "), Match::kNo);
}

TEST(JsonObject, NestsToItsBound) {
  const Program program = Compiled(kObject, {.nesting = 4});
  EXPECT_EQ(MatchOf(program, "{\"a\":[[[1]]]}"), Match::kWhole);
  EXPECT_EQ(MatchOf(program, "{\"a\":[[[{}]]]}"), Match::kWhole);
  EXPECT_EQ(MatchOf(program, "{\"a\":[[[[]]]]}"), Match::kWhole);
  EXPECT_EQ(MatchOf(program, "{\"a\":[[[[1"), Match::kNo);
}

Program ProgramOf(ExprPtr expr) {
  auto program = Program::Compile({{std::move(expr)}}, {});
  EXPECT_TRUE(program.ok()) << program.status();
  return *std::move(program);
}

TEST(JsonInteger, IsEveryIntegerOfTheRange) {
  const std::vector<std::pair<int64_t, int64_t>> ranges = {
      {0, 0},   {-1, 1},     {5, 17},     {-17, -5},    {0, 999},    {99, 101},
      {-10, 9}, {123, 4567}, {-1000, 12}, {-999, -999}, {990, 1009}, {1000, 1999}};
  for (const auto& [first, last] : ranges) {
    SCOPED_TRACE(absl::StrCat(first, "..", last));
    const Program program = ProgramOf(JsonInteger(first, last));
    for (int64_t i = -5000; i <= 5000; ++i) {
      const bool is_in = first <= i && i <= last;
      ASSERT_EQ(MatchOf(program, absl::StrCat(i)) == Match::kWhole, is_in) << i;
    }
    for (const char* text : {"-0", "00", "01", "-01", "+1", "", "-", "1.0", "1e1"}) {
      EXPECT_NE(MatchOf(program, text), Match::kWhole) << text;
    }
  }
  const Program all = ProgramOf(JsonInteger(-kGreatestJsonInteger, kGreatestJsonInteger));
  EXPECT_EQ(MatchOf(all, absl::StrCat(kGreatestJsonInteger)), Match::kWhole);
  EXPECT_EQ(MatchOf(all, absl::StrCat(-kGreatestJsonInteger)), Match::kWhole);
  EXPECT_EQ(MatchOf(all, absl::StrCat(kGreatestJsonInteger + 1)), Match::kNo);
}

TEST(JsonNumber, NeverOverflows) {
  const Program program = ProgramOf(JsonNumber());
  const std::string greatest = "999999999999999999.999999999999999999e+99";
  EXPECT_EQ(MatchOf(program, greatest), Match::kWhole);
  EXPECT_LT(nlohmann::json::parse(greatest).get<double>(), std::numeric_limits<double>::max());
  for (const double value : {0.1, -2.5, 1e22, 1.7976931348623157e50, 5e-7, 123456.789}) {
    EXPECT_EQ(MatchOf(program, nlohmann::json(value).dump()), Match::kWhole) << value;
  }
}

TEST(JsonCharacter, IsAsTheLibraryWritesIt) {
  for (uint32_t c = 0; c < 0x100; ++c) {
    std::string text;
    if (c < 0x80) {
      text.push_back(static_cast<char>(c));
    } else {
      text = {static_cast<char>(0xC0 | c >> 6), static_cast<char>(0x80 | (c & 63))};
    }
    const Program program = ProgramOf(JsonString(JsonCharacter(CodePoints::Of(c, c))));
    EXPECT_EQ(MatchOf(program, nlohmann::json(text).dump()), Match::kWhole) << c;
  }
}

TEST(JsonStringOtherThan, IsEveryStringButTheNames) {
  const Program program = ProgramOf(JsonStringOtherThan({"a", "ab", "né", "q\"", ""}));
  for (const char* text : {"\"a\"", "\"ab\"", "\"né\"", "\"q\\\"\"", "\"\"", "\"\\u0061\""}) {
    EXPECT_NE(MatchOf(program, text), Match::kWhole) << text;
  }
  for (const char* text : {"\"b\"", "\"abc\"", "\"aa\"", "\"n\"", "\"nè\"", "\"néa\"", "\"q\"",
                           "\"q\\\"\\\"\"", "\"\\n\"", "\"€\""}) {
    EXPECT_EQ(MatchOf(program, text), Match::kWhole) << text;
  }
}

}  // namespace
}  // namespace shoal
