#include "runtime/text/byte_level.h"

#include <cstddef>

#include "runtime/text/utf8.h"

namespace shoal {
namespace {

bool StandsForItself(int byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) ||
         (byte >= 0xAE && byte <= 0xFF);
}

}  // namespace

ByteAlphabet::ByteAlphabet() {
  byte_of_.fill(-1);
  size_t next = 0x100;
  for (int byte = 0; byte < 0x100; ++byte) {
    const size_t at = StandsForItself(byte) ? static_cast<size_t>(byte) : next++;
    byte_of_[at] = static_cast<int16_t>(byte);
  }
}

std::optional<std::string> ByteAlphabet::Bytes(absl::string_view written) const {
  std::string bytes;
  bytes.reserve(written.size());
  const char* p = written.data();
  const char* const end = p + written.size();
  while (p < end) {
    size_t length;
    const uint32_t c = DecodeUtf8(p, &length);
    if (c >= byte_of_.size() || byte_of_[c] < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(byte_of_[c]));
    p += length;
  }
  return bytes;
}

}  // namespace shoal
