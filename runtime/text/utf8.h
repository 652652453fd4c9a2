// UTF-8 as the Unicode standard defines it (chapter 3, table 3-7): no overlong
// forms, no surrogates, nothing above U+10FFFF.

#ifndef SHOAL_RUNTIME_TEXT_UTF8_H_
#define SHOAL_RUNTIME_TEXT_UTF8_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace shoal {

// What the bytes at the start of a string are.
struct Utf8Prefix {
  enum class Kind {
    kWhole,       // `length` bytes are one code point
    kIncomplete,  // all `length` bytes left begin a code point and lack its end
    kInvalid,     // `length` bytes begin no code point ("maximal subpart")
  };
  Kind kind;
  size_t length;
};

// REQUIRES: !bytes.empty().
Utf8Prefix NextUtf8(absl::string_view bytes);

// The bytes of the whole code points at the start of `bytes`.
size_t WholeUtf8Length(absl::string_view bytes);

// OK, or InvalidArgument with the offset of the first byte that is not part of
// well-formed UTF-8. The message never quotes `text`.
absl::Status CheckUtf8(absl::string_view text);

// The code point that starts at `p`; sets `length` to its bytes.
// REQUIRES: `p` is at the start of a code point of checked text.
inline uint32_t DecodeUtf8(const char* p, size_t* length) {
  const auto byte = [p](int i) { return static_cast<uint32_t>(static_cast<unsigned char>(p[i])); };
  const uint32_t lead = byte(0);
  if (lead < 0x80) {
    *length = 1;
    return lead;
  }
  if (lead < 0xE0) {
    *length = 2;
    return (lead & 0x1F) << 6 | (byte(1) & 0x3F);
  }
  if (lead < 0xF0) {
    *length = 3;
    return (lead & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
  }
  *length = 4;
  return (lead & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F);
}

// Moves the longest decided prefix of `pending` to the end of `out`: whole code
// points as they are, each invalid maximal subpart as one U+FFFD. What may
// still become whole stays in `pending` (three bytes at most), unless `final`,
// which turns it into one U+FFFD.
void TakeWholeUtf8(bool final, std::string* pending, std::string* out);

}  // namespace shoal

#endif  // SHOAL_RUNTIME_TEXT_UTF8_H_
