#include "runtime/constraint/expr.h"

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"

#include "runtime/constraint/code_points.h"
#include "runtime/constraint/limits.h"
#include "runtime/constraint/program.h"
#include "runtime/constraint/text_matcher.h"

namespace shoal {
namespace {

using Range = CodePoints::Range;

TEST(CodePoints, AreRangesWithoutSurrogates) {
  EXPECT_EQ(CodePoints::All().ranges(), (std::vector<Range>{{0, 0xD7FF}, {0xE000, 0x10FFFF}}));
  EXPECT_TRUE(CodePoints::Of(0xD800, 0xDFFF).empty());
  EXPECT_TRUE(CodePoints::All().Complement().empty());
  EXPECT_EQ(CodePoints().Complement().ranges(), CodePoints::All().ranges());

  CodePoints set = CodePoints::Of('c', 'f');
  set.Add(CodePoints::Of('a', 'b'));
  set.Add(CodePoints::Of('e', 'h'));
  EXPECT_EQ(set.ranges(), (std::vector<Range>{{'a', 'h'}}));
  EXPECT_EQ(set.Minus(CodePoints::Of('c', 'd')).ranges(),
            (std::vector<Range>{{'a', 'b'}, {'e', 'h'}}));
  EXPECT_EQ(set.And(CodePoints::Of('g', 'z')).ranges(), (std::vector<Range>{{'g', 'h'}}));
  EXPECT_TRUE(set.Has('a'));
  EXPECT_FALSE(set.Has('i'));
  EXPECT_EQ(set.Complement().Complement().ranges(), set.ranges());
}

std::string Utf8(uint32_t c) {
  std::string bytes;
  const auto tail = [&](int shift) {
    bytes.push_back(static_cast<char>(0x80 | (c >> shift & 63)));
  };
  if (c < 0x80) return std::string(1, static_cast<char>(c));
  if (c < 0x800) {
    bytes.push_back(static_cast<char>(0xC0 | c >> 6));
  } else if (c < 0x10000) {
    bytes.push_back(static_cast<char>(0xE0 | c >> 12));
    tail(6);
  } else {
    bytes.push_back(static_cast<char>(0xF0 | c >> 18));
    tail(12);
    tail(6);
  }
  tail(0);
  return bytes;
}

// All of Unicode, and a surrogate's bytes too, against ranges with awkward ends.
TEST(OneOfCodePoints, IsTheUtf8OfTheSet) {
  CodePoints set = CodePoints::Of(0x41, 0x5A);
  for (const Range& range :
       {Range{0x7F, 0x80}, Range{0x7FE, 0x801}, Range{0x1234, 0xABCD}, Range{0xD7F0, 0xE001},
        Range{0xFFFF, 0x10000}, Range{0x12345, 0x6789A}, Range{0x10FF00, 0x10FFFE}}) {
    set.Add(CodePoints::Of(range.first, range.last));
  }
  absl::StatusOr<Program> program = Program::Compile({{OneOfCodePoints(set)}}, {});
  ASSERT_TRUE(program.ok()) << program.status();
  size_t errors = 0;
  for (uint32_t c = 0; c <= 0x10FFFF; ++c) {
    const bool is_match = MatchOf(*program, Utf8(c)) == Match::kWhole;
    errors += is_match != set.Has(c) ? 1 : 0;
  }
  EXPECT_EQ(errors, 0u);
  EXPECT_EQ(MatchOf(*program, "\xC1\x81"), Match::kNo);          // overlong
  EXPECT_EQ(MatchOf(*program, "\xF4\x90\x80\x80"), Match::kNo);  // beyond Unicode
}

TEST(Members, StandInOrderWithSeparatorsBetween) {
  const ExprPtr members = Members(
      Literal(","),
      {{Literal("a"), false}, {Literal("b"), true}, {Literal("c"), false}, {Literal("d"), false}});
  absl::StatusOr<Program> program = Program::Compile({{members}}, {});
  ASSERT_TRUE(program.ok()) << program.status();
  for (const char* text : {"b", "a,b", "b,c", "b,d", "b,c,d", "a,b,c,d"}) {
    EXPECT_EQ(MatchOf(*program, text), Match::kWhole) << text;
  }
  for (const char* text : {"", "a", "a,c", "ab", ",b", "b,", "b,d,c", "a,a,b"}) {
    EXPECT_NE(MatchOf(*program, text), Match::kWhole) << text;
  }
}

}  // namespace
}  // namespace shoal
