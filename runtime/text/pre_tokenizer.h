// Cutting text into the pieces that byte-pair encoding works on: no merge ever
// crosses a cut. Hugging Face describes the cuts by regular expressions; we
// run a scanner written for the known ones, in one pass and linear time (a
// look-ahead keeps regular-expression engines of that guarantee out).

#ifndef SHOAL_RUNTIME_TEXT_PRE_TOKENIZER_H_
#define SHOAL_RUNTIME_TEXT_PRE_TOKENIZER_H_

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"

namespace shoal {

class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;

  // Calls `piece` with consecutive, non-empty views that together are `text`.
  // REQUIRES: `text` is UTF-8. Thread-safe.
  virtual void Split(absl::string_view text,
                     absl::FunctionRef<void(absl::string_view)> piece) const = 0;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_TEXT_PRE_TOKENIZER_H_
