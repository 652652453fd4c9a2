// The pre-tokenizer of DeepSeek-V3 and R1 as one linear pass.

#ifndef SHOAL_RUNTIME_TEXT_DEEPSEEK_SCANNER_H_
#define SHOAL_RUNTIME_TEXT_DEEPSEEK_SCANNER_H_

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "runtime/text/char_class.h"
#include "runtime/text/pre_tokenizer.h"

namespace shoal {

// Three splits, each on what the one before left:
//   1. \p{N}{1,3} (or {1,1}),
//   2. runs of [U+4E00-U+9FA5 U+3040-U+309F U+30A0-U+30FF],
//   3. the words:
//        [!-/:-@\[-`{-~][A-Za-z]+  |  [^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+
//        | ?[\p{P}\p{S}]+[\r\n]*  |  \s*[\r\n]+  |  \s+(?!\S)  |  \s+
// A segment of the first two ends where its neighbour begins, and the third
// sees a segment at a time: its look-ahead holds at a segment's end. So a
// character belongs to the segment before it if the class bits of the first two
// splits are equal, and where a piece ends follows from where it begins.
class DeepSeekScanner : public PreTokenizer {
 public:
  // REQUIRES: max_digits >= 1.
  explicit DeepSeekScanner(int max_digits) : max_digits_(max_digits) {}

  size_t Cut(absl::string_view text, size_t begin, absl::Span<size_t> ends) const override;

 private:
  // The text from a piece's beginning on, and the segment it begins in.
  struct Rest {
    const char* end;
    uint8_t segment;  // the bits of kSegment that its characters have
  };

  const char* PieceEnd(const char* p, const char* end) const;
  // The end of the digits from `p` on, max_digits_ of them at most.
  const char* Digits(const char* p, const char* end) const;

  // The class of the character at `p`, or 0 at the segment's end.
  uint8_t ClassAt(const char* p, Rest rest, size_t* length) const;
  // The end of the characters from `p` on whose class has one of `bits`.
  const char* Run(const char* p, Rest rest, uint8_t bits) const;
  // Run() for letters and marks; faster over ASCII.
  const char* LetterRun(const char* p, Rest rest) const;
  // The end of the match of split 3 that begins at `p`; `p` if none does.
  const char* MatchWord(const char* p, Rest rest) const;
  const char* MatchSpaces(const char* p, Rest rest) const;

  const int max_digits_;
  const CharClasses classes_;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_TEXT_DEEPSEEK_SCANNER_H_
