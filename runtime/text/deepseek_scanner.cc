#include "runtime/text/deepseek_scanner.h"

#include <cstring>

#include "absl/strings/ascii.h"

namespace shoal {
namespace {

constexpr uint8_t kLetterOrMark = kLetter | kMark;
constexpr uint8_t kPunctOrSymbol = kPunct | kSymbol;
constexpr uint8_t kSegment = kNumber | kKanaHan;

bool IsAsciiLetter(char c) { return absl::ascii_isalpha(static_cast<unsigned char>(c)); }

// Eight bytes at a time: a byte's top bit tells whether it is no letter.
const char* SkipAsciiLetters(const char* p, const char* end) {
  constexpr uint64_t kEach = 0x0101010101010101u;
  while (end - p >= 8) {
    uint64_t bytes;
    std::memcpy(&bytes, p, sizeof(bytes));
    const uint64_t lower = (bytes | 0x20 * kEach) & 0x7F * kEach;
    const uint64_t at_least_a = lower + (0x80 - 'a') * kEach;
    const uint64_t beyond_z = lower + (0x80 - 'z' - 1) * kEach;
    const uint64_t no_letter = (bytes | ~at_least_a | beyond_z) & 0x80 * kEach;
    if (no_letter != 0) return p + __builtin_ctzll(no_letter) / 8;
    p += 8;
  }
  while (p < end && IsAsciiLetter(*p)) ++p;
  return p;
}

}  // namespace

size_t DeepSeekScanner::Cut(absl::string_view text, size_t begin, absl::Span<size_t> ends) const {
  const char* p = text.data() + begin;
  const char* const end = text.data() + text.size();
  size_t n = 0;
  while (n < ends.size() && p < end) {
    p = PieceEnd(p, end);
    ends[n++] = static_cast<size_t>(p - text.data());
  }
  return n;
}

const char* DeepSeekScanner::PieceEnd(const char* p, const char* end) const {
  size_t length;
  const uint8_t first = classes_.At(p, &length);
  if (first & kNumber) return Digits(p, end);
  const Rest rest = {end, static_cast<uint8_t>(first & kSegment)};
  const char* const match_end = MatchWord(p, rest);
  if (match_end != p) return match_end;
  // What no word matches is a piece as well, up to the next that one matches.
  const char* q = p + length;
  while (q < end && (classes_.At(q, &length) & kSegment) == rest.segment &&
         MatchWord(q, rest) == q) {
    q += length;
  }
  return q;
}

const char* DeepSeekScanner::Digits(const char* p, const char* end) const {
  size_t length;
  for (int n = 0; n < max_digits_ && p < end; ++n) {
    if (!(classes_.At(p, &length) & kNumber)) break;
    p += length;
  }
  return p;
}

uint8_t DeepSeekScanner::ClassAt(const char* p, Rest rest, size_t* length) const {
  if (p >= rest.end) return 0;
  const uint8_t char_class = classes_.At(p, length);
  return (char_class & kSegment) == rest.segment ? char_class : 0;
}

const char* DeepSeekScanner::Run(const char* p, Rest rest, uint8_t bits) const {
  size_t length;
  while (ClassAt(p, rest, &length) & bits) p += length;
  return p;
}

const char* DeepSeekScanner::LetterRun(const char* p, Rest rest) const {
  if (rest.segment == 0) p = SkipAsciiLetters(p, rest.end);
  if (p < rest.end && static_cast<unsigned char>(*p) < 0x80) return p;
  return Run(p, rest, kLetterOrMark);
}

const char* DeepSeekScanner::MatchWord(const char* p, Rest rest) const {
  size_t length;
  const uint8_t first = classes_.At(p, &length);
  const char* const next = p + length;

  // [\p{L}\p{M}]+ without the optional character before it. (That may be a
  // mark; with or without it the match is the same run.)
  if (first & kLetterOrMark) return LetterRun(next, rest);

  // ASCII punctuation and the ASCII letters behind it.
  if (absl::ascii_ispunct(static_cast<unsigned char>(*p))) {
    const char* const letters_end = SkipAsciiLetters(next, rest.end);
    if (letters_end > next) return letters_end;
  }

  // One character that is no newline, punctuation or symbol, then a word.
  size_t next_length;
  if (!(first & (kNewline | kPunctOrSymbol)) &&
      (ClassAt(next, rest, &next_length) & kLetterOrMark)) {
    return LetterRun(next + next_length, rest);
  }

  // Punctuation with an optional blank before and the newlines behind.
  const char* const marks = *p == ' ' ? next : p;
  const char* const marks_end = Run(marks, rest, kPunctOrSymbol);
  if (marks_end > marks) return Run(marks_end, rest, kNewline);

  return first & kSpace ? MatchSpaces(p, rest) : p;
}

// \s*[\r\n]+ ends behind the last newline of the run. Without a newline,
// \s+(?!\S) is the whole run at the segment's end and else all but its last
// character, which the next match takes along; one character alone is \s+.
const char* DeepSeekScanner::MatchSpaces(const char* p, Rest rest) const {
  const char* behind_newline = nullptr;
  const char* last = p;  // start of the run's last character
  const char* q = p;
  size_t length;
  for (uint8_t c = ClassAt(q, rest, &length); c & kSpace; c = ClassAt(q, rest, &length)) {
    last = q;
    q += length;
    if (c & kNewline) behind_newline = q;
  }
  if (behind_newline != nullptr) return behind_newline;
  const bool at_end = q == rest.end || (classes_.At(q, &length) & kSegment) != rest.segment;
  return at_end || last == p ? q : last;
}

}  // namespace shoal
