// Cutting text into the pieces that byte-pair encoding works on: no merge ever
// crosses a cut. Hugging Face describes the cuts by regular expressions; we
// run a scanner written for the known ones, in one pass and linear time (a
// look-ahead keeps regular-expression engines of that guarantee out).

#ifndef SHOAL_RUNTIME_TEXT_PRE_TOKENIZER_H_
#define SHOAL_RUNTIME_TEXT_PRE_TOKENIZER_H_

#include <cstddef>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace shoal {

class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;

  // Writes where the pieces of `text` from `begin` on end, one after the other,
  // until `ends` is full or the text ends; returns how many. They are not empty.
  // REQUIRES: `text` is UTF-8; `begin` is 0 or the end of a piece; there is
  // text from there on and room in `ends`. Thread-safe.
  virtual size_t Cut(absl::string_view text, size_t begin, absl::Span<size_t> ends) const = 0;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_TEXT_PRE_TOKENIZER_H_
