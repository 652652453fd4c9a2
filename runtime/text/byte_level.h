// The alphabet in which byte-level vocabularies are written: one printable
// character per byte, so that a token that is no UTF-8 by itself can stand in a
// JSON file. Printable Latin-1 bytes stand for themselves, the other 68 for
// U+0100 onwards in byte order (GPT-2, Radford et al. 2019).

#ifndef SHOAL_RUNTIME_TEXT_BYTE_LEVEL_H_
#define SHOAL_RUNTIME_TEXT_BYTE_LEVEL_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace shoal {

class ByteAlphabet {
 public:
  ByteAlphabet();

  // The bytes that `written` stands for; nullopt if a character of it is not in
  // the alphabet. REQUIRES: `written` is UTF-8.
  std::optional<std::string> Bytes(absl::string_view written) const;

 private:
  std::array<int16_t, 0x144> byte_of_;  // by code point; -1: not in the alphabet
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_TEXT_BYTE_LEVEL_H_
