#include "runtime/text/deepseek_scanner.h"

#include <array>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace shoal {
namespace {

using Pieces = std::vector<std::string>;

Pieces Split(absl::string_view text, int max_digits = 3) {
  Pieces pieces;
  const DeepSeekScanner scanner(max_digits);
  std::array<size_t, 2> ends;  // fewer than there are pieces
  for (size_t at = 0; at < text.size();) {
    const size_t n = scanner.Cut(text, at, absl::MakeSpan(ends));
    for (size_t i = 0; i < n; at = ends[i++]) pieces.emplace_back(text.substr(at, ends[i] - at));
  }
  return pieces;
}

TEST(DeepSeekScannerTest, Digits) {
  EXPECT_EQ(Split("1234567"), (Pieces{"123", "456", "7"}));
  EXPECT_EQ(Split("1234", 1), (Pieces{"1", "2", "3", "4"}));
  EXPECT_EQ(Split("a12b ٣½"), (Pieces{"a", "12", "b", " ", "٣½"}));
}

TEST(DeepSeekScannerTest, KanaAndHanRunsAreCutByWordsAfterwards) {
  EXPECT_EQ(Split("我们go吧"), (Pieces{"我们", "go", "吧"}));
  // U+9FA6 is a letter outside the run's range.
  EXPECT_EQ(Split("龥龦"), (Pieces{"龥", "龦"}));
  // A middle dot and a voiced sound mark lie within the range and are
  // punctuation and symbol to the words.
  EXPECT_EQ(Split("ア・イ゛"), (Pieces{"ア", "・", "イ", "゛"}));
}

TEST(DeepSeekScannerTest, Words) {
  EXPECT_EQ(Split("Hello, world!"), (Pieces{"Hello", ",", " world", "!"}));
  EXPECT_EQ(Split("don't"), (Pieces{"don", "'t"}));
  EXPECT_EQ(Split("(foo)(bär)"), (Pieces{"(foo", ")(", "bär", ")"}));
  EXPECT_EQ(Split("\tx"), (Pieces{"\tx"}));
  EXPECT_EQ(Split("e\u0301\u0301x"), (Pieces{"e\u0301\u0301x"}));
  EXPECT_EQ(Split("\u0301"), (Pieces{"\u0301"}));
}

TEST(DeepSeekScannerTest, PunctuationTakesABlankBeforeAndNewlinesBehind) {
  EXPECT_EQ(Split("a == b;\n\nc"), (Pieces{"a", " ==", " b", ";\n\n", "c"}));
  EXPECT_EQ(Split("  !"), (Pieces{" ", " !"}));
}

TEST(DeepSeekScannerTest, WhiteSpace) {
  EXPECT_EQ(Split("a   b"), (Pieces{"a", "  ", " b"}));
  EXPECT_EQ(Split("a   "), (Pieces{"a", "   "}));
  EXPECT_EQ(Split("a \n  b"), (Pieces{"a", " \n", " ", " b"}));
  EXPECT_EQ(Split(" \n \r\n  "), (Pieces{" \n \r\n", "  "}));
  // The look-ahead ends with the segment: digits come after it.
  EXPECT_EQ(Split("a  1"), (Pieces{"a", "  ", "1"}));
  EXPECT_EQ(Split("a  水"), (Pieces{"a", "  ", "水"}));
  EXPECT_EQ(Split("\u00a0\u00a0x"), (Pieces{"\u00a0", "\u00a0x"}));
}

TEST(DeepSeekScannerTest, WhatNothingMatchesIsAPieceTogether) {
  EXPECT_EQ(Split("\x01\x02 a"), (Pieces{"\x01\x02", " a"}));
  EXPECT_EQ(Split("\x01\x02"
                  "a"),
            (Pieces{"\x01",
                    "\x02"
                    "a"}));
  EXPECT_EQ(Split("a  \x01"), (Pieces{"a", " ", " ", "\x01"}));
}

}  // namespace
}  // namespace shoal
