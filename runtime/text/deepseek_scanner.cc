#include "runtime/text/deepseek_scanner.h"

#include <cstddef>

#include "absl/strings/ascii.h"

namespace shoal {
namespace {

constexpr uint8_t kLetterOrMark = kLetter | kMark;
constexpr uint8_t kPunctOrSymbol = kPunct | kSymbol;

absl::string_view View(const char* begin, const char* end) {
  return absl::string_view(begin, static_cast<size_t>(end - begin));
}

const char* SkipAsciiLetters(const char* p, const char* end) {
  while (p < end && absl::ascii_isalpha(static_cast<unsigned char>(*p))) ++p;
  return p;
}

}  // namespace

void DeepSeekScanner::Split(absl::string_view text, Sink piece) const {
  const char* p = text.data();
  const char* const end = p + text.size();
  while (p < end) {
    size_t length;
    const uint8_t first = classes_.At(p, &length);
    const char* segment_end;
    if (first & kNumber) {
      segment_end = Digits(p, end);
      piece(View(p, segment_end));  // no word matches within digits
    } else {
      segment_end =
          first & kKanaHan ? Run(p, end, kKanaHan) : RunWithout(p, end, kNumber | kKanaHan);
      SplitWords(p, segment_end, piece);
    }
    p = segment_end;
  }
}

const char* DeepSeekScanner::Run(const char* p, const char* end, uint8_t bits) const {
  size_t length;
  while (p < end && (classes_.At(p, &length) & bits)) p += length;
  return p;
}

const char* DeepSeekScanner::RunWithout(const char* p, const char* end, uint8_t bits) const {
  size_t length;
  while (p < end && !(classes_.At(p, &length) & bits)) p += length;
  return p;
}

const char* DeepSeekScanner::Digits(const char* p, const char* end) const {
  size_t length;
  for (int n = 0; n < max_digits_ && p < end; ++n) {
    if (!(classes_.At(p, &length) & kNumber)) break;
    p += length;
  }
  return p;
}

void DeepSeekScanner::SplitWords(const char* p, const char* end, Sink piece) const {
  const char* gap = p;  // [gap, p) matched nothing and is a piece as well
  while (p < end) {
    const char* const match_end = MatchWord(p, end);
    if (match_end == p) {
      size_t length;
      classes_.At(p, &length);
      p += length;
      continue;
    }
    if (gap < p) piece(View(gap, p));
    piece(View(p, match_end));
    gap = p = match_end;
  }
  if (gap < end) piece(View(gap, end));
}

const char* DeepSeekScanner::MatchWord(const char* p, const char* end) const {
  size_t length;
  const uint8_t first = classes_.At(p, &length);
  const char* const next = p + length;

  // [\p{L}\p{M}]+ without the optional character before it. (That may be a
  // mark; with or without it the match is the same run.)
  if (first & kLetterOrMark) return Run(next, end, kLetterOrMark);

  // ASCII punctuation and the ASCII letters behind it.
  if (absl::ascii_ispunct(static_cast<unsigned char>(*p))) {
    const char* const letters_end = SkipAsciiLetters(next, end);
    if (letters_end > next) return letters_end;
  }

  // One character that is no newline, punctuation or symbol, then a word.
  size_t ignored;
  if (!(first & (kNewline | kPunctOrSymbol)) && next < end &&
      (classes_.At(next, &ignored) & kLetterOrMark)) {
    return Run(next, end, kLetterOrMark);
  }

  // Punctuation with an optional blank before and the newlines behind.
  const char* const marks = *p == ' ' ? next : p;
  const char* const marks_end = Run(marks, end, kPunctOrSymbol);
  if (marks_end > marks) return Run(marks_end, end, kNewline);

  return first & kSpace ? MatchSpaces(p, end) : p;
}

// \s*[\r\n]+ ends behind the last newline of the run. Without a newline,
// \s+(?!\S) is the whole run at the segment's end and else all but its last
// character, which the next match takes along; one character alone is \s+.
const char* DeepSeekScanner::MatchSpaces(const char* p, const char* end) const {
  const char* behind_newline = nullptr;
  const char* last = p;  // start of the run's last character
  const char* q = p;
  while (q < end) {
    size_t length;
    const uint8_t char_class = classes_.At(q, &length);
    if (!(char_class & kSpace)) break;
    last = q;
    q += length;
    if (char_class & kNewline) behind_newline = q;
  }
  if (behind_newline != nullptr) return behind_newline;
  return q == end || last == p ? q : last;
}

}  // namespace shoal
