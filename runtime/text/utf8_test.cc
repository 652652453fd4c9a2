#include "runtime/text/utf8.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace shoal {
namespace {

TEST(Utf8Test, AcceptsEveryLengthAndTheBoundaries) {
  EXPECT_TRUE(CheckUtf8("").ok());
  EXPECT_TRUE(CheckUtf8("plain ASCII of more than eight bytes").ok());
  EXPECT_TRUE(CheckUtf8("é水🙂").ok());
  EXPECT_TRUE(CheckUtf8("\x7F\xC2\x80\xDF\xBF\xE0\xA0\x80").ok());
  EXPECT_TRUE(CheckUtf8("\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF").ok());
  EXPECT_TRUE(CheckUtf8("\xF0\x90\x80\x80\xF4\x8F\xBF\xBF").ok());
  EXPECT_TRUE(CheckUtf8(std::string("\0", 1)).ok());
}

TEST(Utf8Test, RefusesWithTheOffsetAndWithoutTheText) {
  const struct {
    std::string text;
    std::string offset;
  } cases[] = {
      {"\x80", "byte 0 of 1"},
      {"secret\xFF", "byte 6 of 7"},
      {"12345678901\xC0\xAF", "byte 11 of 13"},  // overlong
      {"a\xE0\x80\x80", "byte 1 of 4"},          // overlong
      {"\xED\xA0\x80", "byte 0 of 3"},           // surrogate
      {"\xF4\x90\x80\x80", "byte 0 of 4"},       // beyond U+10FFFF
      {"\xF5\x80\x80\x80", "byte 0 of 4"},       // leads nothing
      {"ab\xE6\xB0", "byte 2 of 4"},             // cut off
      {"\xE6\xB0"
       "a",
       "byte 0 of 3"},
  };
  for (const auto& c : cases) {
    const absl::Status status = CheckUtf8(c.text);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_NE(status.message().find(c.offset), std::string::npos) << status;
    EXPECT_EQ(status.message().find("secret"), std::string::npos);
  }
}

TEST(Utf8Test, DecodesWhatItAccepts) {
  const struct {
    std::string text;
    uint32_t code_point;
  } cases[] = {{"A", 0x41}, {"é", 0xE9}, {"水", 0x6C34}, {"🙂", 0x1F642}};
  for (const auto& c : cases) {
    size_t length;
    EXPECT_EQ(DecodeUtf8(c.text.data(), &length), c.code_point);
    EXPECT_EQ(length, c.text.size());
  }
}

std::string Lossy(const std::vector<std::string>& parts) {
  std::string pending;
  std::string text;
  for (const std::string& part : parts) {
    pending += part;
    TakeWholeUtf8(/*final=*/false, &pending, &text);
    EXPECT_LE(pending.size(), 3u);
    EXPECT_TRUE(CheckUtf8(text).ok());
  }
  TakeWholeUtf8(/*final=*/true, &pending, &text);
  EXPECT_EQ(pending, "");
  return text;
}

// The examples of the Unicode standard (3.9, "U+FFFD Substitution of Maximal
// Subparts").
TEST(Utf8Test, ReplacesMaximalSubparts) {
  EXPECT_EQ(Lossy({"\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"}),
            "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFDA");
  EXPECT_EQ(Lossy({"\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41"}),
            "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFDA");
  EXPECT_EQ(Lossy({"\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"}), "\uFFFD\uFFFD\uFFFD\uFFFDA");
  EXPECT_EQ(Lossy({"\xF0\x9F\x99"}), "\uFFFD");
}

TEST(Utf8Test, HoldsBackWhatMayBecomeWhole) {
  EXPECT_EQ(Lossy({"\xF0", "\x9F", "\x99", "\x82"}), "🙂");
  EXPECT_EQ(Lossy({"a\xE6", "\xB0", "\xB4z\xC3", "\xA9"}), "a水zé");
  EXPECT_EQ(Lossy({"\xE6\xB0", "a"}), "\uFFFDa");
}

}  // namespace
}  // namespace shoal
