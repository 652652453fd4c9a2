// Hugging Face's tokenizer.json, as far as byte-level BPE goes: the file as
// values, with everything refused that would change ids and is not implemented.

#ifndef SHOAL_RUNTIME_TEXT_TOKENIZER_JSON_H_
#define SHOAL_RUNTIME_TEXT_TOKENIZER_JSON_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "runtime/text/added_tokens.h"
#include "runtime/text/bpe/bpe.h"

namespace shoal {

struct TokenizerJson {
  std::vector<std::string> split_patterns;  // pre_tokenizer's, in order
  std::vector<std::string> vocab;           // by id, in the byte alphabet
  std::vector<Bpe::MergeRule> merges;       // by rank
  std::vector<AddedToken> added_tokens;     // distinct ids and contents
};

// InvalidArgument names the field and its value.
absl::StatusOr<TokenizerJson> ParseTokenizerJson(absl::string_view bytes);

}  // namespace shoal

#endif  // SHOAL_RUNTIME_TEXT_TOKENIZER_JSON_H_
