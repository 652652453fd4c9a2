#include "runtime/text/utf8.h"

#include <cstring>

#include "absl/strings/str_cat.h"

namespace shoal {
namespace {

constexpr absl::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// The bytes of a code point with this lead byte, and the range of its second
// byte; 0 bytes for a byte that leads nothing.
struct Lead {
  int length;
  unsigned char second_min;
  unsigned char second_max;
};

Lead LeadOf(unsigned char byte) {
  if (byte < 0x80) return {1, 0, 0};
  if (byte < 0xC2) return {0, 0, 0};  // continuation, or overlong
  if (byte < 0xE0) return {2, 0x80, 0xBF};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};  // below: overlong
  if (byte == 0xED) return {3, 0x80, 0x9F};  // above: surrogates
  if (byte < 0xF0) return {3, 0x80, 0xBF};
  if (byte == 0xF0) return {4, 0x90, 0xBF};  // below: overlong
  if (byte < 0xF4) return {4, 0x80, 0xBF};
  if (byte == 0xF4) return {4, 0x80, 0x8F};  // above: beyond U+10FFFF
  return {0, 0, 0};
}

// Whether the eight bytes at `p` are all ASCII.
bool EightAscii(const char* p) {
  uint64_t word;
  std::memcpy(&word, p, sizeof(word));
  return (word & 0x8080808080808080u) == 0;
}

}  // namespace

Utf8Prefix NextUtf8(absl::string_view bytes) {
  using Kind = Utf8Prefix::Kind;
  const Lead lead = LeadOf(static_cast<unsigned char>(bytes[0]));
  if (lead.length == 0) return {Kind::kInvalid, 1};
  for (size_t i = 1; i < static_cast<size_t>(lead.length); ++i) {
    if (i == bytes.size()) return {Kind::kIncomplete, i};
    const auto byte = static_cast<unsigned char>(bytes[i]);
    const unsigned char min = i == 1 ? lead.second_min : 0x80;
    const unsigned char max = i == 1 ? lead.second_max : 0xBF;
    if (byte < min || byte > max) return {Kind::kInvalid, i};
  }
  return {Kind::kWhole, static_cast<size_t>(lead.length)};
}

size_t WholeUtf8Length(absl::string_view bytes) {
  size_t at = 0;
  while (at < bytes.size()) {
    if (at + 8 <= bytes.size() && EightAscii(bytes.data() + at)) {
      at += 8;
      continue;
    }
    const Utf8Prefix next = NextUtf8(bytes.substr(at));
    if (next.kind != Utf8Prefix::Kind::kWhole) break;
    at += next.length;
  }
  return at;
}

absl::Status CheckUtf8(absl::string_view text) {
  const size_t whole = WholeUtf8Length(text);
  if (whole == text.size()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("text is not UTF-8 at byte ", whole, " of ", text.size()));
}

void TakeWholeUtf8(bool final, std::string* pending, std::string* out) {
  absl::string_view rest = *pending;
  while (!rest.empty()) {
    const Utf8Prefix next = NextUtf8(rest);
    if (next.kind == Utf8Prefix::Kind::kIncomplete && !final) break;
    if (next.kind == Utf8Prefix::Kind::kWhole) {
      absl::StrAppend(out, rest.substr(0, next.length));
    } else {
      absl::StrAppend(out, kReplacement);
    }
    rest.remove_prefix(next.length);
  }
  pending->erase(0, pending->size() - rest.size());
}

}  // namespace shoal
