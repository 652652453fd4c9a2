// The pre-tokenizer of DeepSeek-V3 and R1 as one linear pass.

#ifndef SHOAL_RUNTIME_TEXT_DEEPSEEK_SCANNER_H_
#define SHOAL_RUNTIME_TEXT_DEEPSEEK_SCANNER_H_

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"

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
// sees a segment at a time: its look-ahead holds at a segment's end.
class DeepSeekScanner : public PreTokenizer {
 public:
  // REQUIRES: max_digits >= 1.
  explicit DeepSeekScanner(int max_digits) : max_digits_(max_digits) {}

  void Split(absl::string_view text,
             absl::FunctionRef<void(absl::string_view)> piece) const override;

 private:
  using Sink = absl::FunctionRef<void(absl::string_view)>;

  // The end of the code points from `p` on whose class has one of `bits`.
  const char* Run(const char* p, const char* end, uint8_t bits) const;
  // The end of the code points from `p` on whose class has none of `bits`.
  const char* RunWithout(const char* p, const char* end, uint8_t bits) const;
  // The end of the digits from `p` on, max_digits_ of them at most.
  const char* Digits(const char* p, const char* end) const;

  // Split 3 on the segment [p, end).
  void SplitWords(const char* p, const char* end, Sink piece) const;
  // The end of the match of split 3 that begins at `p`; `p` if none does.
  const char* MatchWord(const char* p, const char* end) const;
  const char* MatchSpaces(const char* p, const char* end) const;

  const int max_digits_;
  const CharClasses classes_;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_TEXT_DEEPSEEK_SCANNER_H_
