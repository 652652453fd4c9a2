// Token ids to text as they come.

#ifndef SHOAL_RUNTIME_TEXT_DETOKENIZER_H_
#define SHOAL_RUNTIME_TEXT_DETOKENIZER_H_

#include <string>

#include "absl/types/span.h"

#include "runtime/base/token_id.h"
#include "runtime/text/tokenizer.h"

namespace shoal {

// The invariant: every returned string is whole UTF-8, and all of them together
// are what decoding all ids at once gives: bytes that are no UTF-8 become
// U+FFFD, one per maximal subpart, as in Hugging Face's decoder.
//
// One thread at a time. The tokenizer outlives it.
class Detokenizer {
 public:
  explicit Detokenizer(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  // The text that `id` completes; empty while a character is incomplete. An
  // added token gives its content.
  std::string Push(TokenId id);
  // The same for each id in order, appended to `text`.
  void Push(absl::Span<const TokenId> ids, std::string* text);

  // What is held back, which the ids so far leave incomplete: U+FFFD, or
  // nothing. Afterwards a new text begins.
  std::string Flush();

 private:
  const Tokenizer& tokenizer_;
  std::string pending_;  // three bytes at most between calls
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_TEXT_DETOKENIZER_H_
