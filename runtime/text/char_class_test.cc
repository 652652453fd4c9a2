#include "runtime/text/char_class.h"

#include <string>

#include "gtest/gtest.h"

#include "runtime/base/sha256.h"

namespace shoal {
namespace {

TEST(CharClassTest, Examples) {
  const CharClasses classes;
  EXPECT_EQ(classes.Of('a'), kLetter);
  EXPECT_EQ(classes.Of('7'), kNumber);
  EXPECT_EQ(classes.Of('!'), kPunct);
  EXPECT_EQ(classes.Of('+'), kSymbol);
  EXPECT_EQ(classes.Of(' '), kSpace);
  EXPECT_EQ(classes.Of('\n'), kSpace | kNewline);
  EXPECT_EQ(classes.Of(0x01), 0);
  EXPECT_EQ(classes.Of(0x85), kSpace);    // next line
  EXPECT_EQ(classes.Of(0x301), kMark);    // combining acute
  EXPECT_EQ(classes.Of(0xBD), kNumber);   // one half
  EXPECT_EQ(classes.Of(0x200B), 0);       // zero width space is none
  EXPECT_EQ(classes.Of(0x3000), kSpace);  // ideographic space
  EXPECT_EQ(classes.Of(0x6C34), kLetter | kKanaHan);
  EXPECT_EQ(classes.Of(0x9FA5), kLetter | kKanaHan);
  EXPECT_EQ(classes.Of(0x9FA6), kLetter);
  EXPECT_EQ(classes.Of(0x3099), kMark | kKanaHan);
  EXPECT_EQ(classes.Of(0x10FFFF), 0);
}

TEST(CharClassTest, AsciiShortcutAgrees) {
  const CharClasses classes;
  for (char c = 0; c >= 0 && c < 127; ++c) {
    size_t length = 0;
    EXPECT_EQ(classes.At(&c, &length), classes.Of(static_cast<uint32_t>(c)));
    EXPECT_EQ(length, 1u);
  }
}

// Over all code points \p{N}, \p{L}, \p{M}, \p{P}, \p{S} and \s are those of
// the regular expressions in Hugging Face tokenizers 0.23.3 (Oniguruma, Unicode
// 16.0): the digest is of one byte per code point with the bits in this order.
TEST(CharClassTest, EveryCodePointAgreesWithOniguruma) {
  const CharClasses classes;
  std::string bytes;
  for (uint32_t c = 0; c < 0x110000; ++c) {
    const uint8_t of = (c >= 0xD800 && c < 0xE000) ? 0 : classes.Of(c);
    const int bits = ((of & kNumber) != 0) | ((of & kLetter) != 0) << 1 | ((of & kMark) != 0) << 2 |
                     ((of & kPunct) != 0) << 3 | ((of & kSymbol) != 0) << 4 |
                     ((of & kSpace) != 0) << 5;
    bytes.push_back(static_cast<char>(bits));
  }
  EXPECT_EQ(HexOf(Sha256Of(bytes)),
            "77c203929785e20705412ab70a0645e2efd0daaf0ef250e7d934cfde0dd721e9");
}

}  // namespace
}  // namespace shoal
