// What the pre-tokenizer's regular expressions ask of a code point.

#ifndef SHOAL_RUNTIME_TEXT_CHAR_CLASS_H_
#define SHOAL_RUNTIME_TEXT_CHAR_CLASS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "runtime/text/utf8.h"

namespace shoal {

// Bits of a class; a code point has at most one of the first five.
enum CharClass : uint8_t {
  kLetter = 1,    // \p{L}
  kMark = 2,      // \p{M}
  kNumber = 4,    // \p{N}
  kPunct = 8,     // \p{P}
  kSymbol = 16,   // \p{S}
  kSpace = 32,    // \s: White_Space
  kNewline = 64,  // [\r\n]; also kSpace
  kKanaHan = 128  // [U+4E00-U+9FA5 U+3040-U+309F U+30A0-U+30FF]
};

// One class byte per code point, in pages of 256 of which equal ones are kept
// once (about 60 kB). Categories are ICU's; code points assigned after ICU's
// Unicode version, up to 16.0, come from a table of ours, so that the classes
// are those of Oniguruma in the tokenizers library that the tests compare with.
//
// Immutable once made, therefore thread-safe. Making one takes milliseconds.
class CharClasses {
 public:
  CharClasses();

  uint8_t Of(uint32_t code_point) const {
    return pages_[page_of_[code_point >> 8]][code_point & 0xFF];
  }

  // The class of the code point that starts at `p`; sets `length` to its bytes.
  // REQUIRES: `p` is at the start of a code point of checked text.
  uint8_t At(const char* p, size_t* length) const {
    const auto byte = static_cast<unsigned char>(*p);
    if (byte < 0x80) {
      *length = 1;
      return ascii_[byte];
    }
    return Of(DecodeUtf8(p, length));
  }

 private:
  using Page = std::array<uint8_t, 256>;

  std::array<uint8_t, 128> ascii_;
  std::vector<uint16_t> page_of_;  // [0x1100]
  std::vector<Page> pages_;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_TEXT_CHAR_CLASS_H_
