// Text to token ids and back, for byte-level BPE in Hugging Face's
// tokenizer.json.

#ifndef SHOAL_RUNTIME_TEXT_TOKENIZER_H_
#define SHOAL_RUNTIME_TEXT_TOKENIZER_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "runtime/base/token_id.h"
#include "runtime/text/added_tokens.h"
#include "runtime/text/bpe/bpe.h"
#include "runtime/text/pre_tokenizer.h"
#include "runtime/text/prompt_piece.h"
#include "runtime/text/token_text.h"

namespace shoal {

// The invariant: **untrusted text never becomes an added token.** Encode() does
// not know them; only a PromptPiece that names one yields its id.
//
// Immutable once loaded, therefore thread-safe.
//
// Errors: InvalidArgument if text is not UTF-8, with the byte offset; never
// with the text. NotFound and InvalidArgument while loading name the file, or
// the field and its value.
class Tokenizer {
 public:
  static absl::StatusOr<std::unique_ptr<const Tokenizer>> Load(const std::string& path);
  // From the contents of a tokenizer.json.
  static absl::StatusOr<std::unique_ptr<const Tokenizer>> Parse(absl::string_view json);

  // The ids of untrusted text. Text of n bytes has at most n ids. Takes time
  // n log n at worst: `merge_steps`, unless null, becomes the steps counted.
  absl::StatusOr<std::vector<TokenId>> Encode(absl::string_view text,
                                              size_t* merge_steps = nullptr) const;

  // The ids of a prompt. Adjacent text pieces are encoded as one text.
  // InvalidArgument naming a token that this tokenizer does not have.
  absl::StatusOr<std::vector<TokenId>> EncodePrompt(absl::Span<const PromptPiece> pieces) const;

  // The ids as Hugging Face's default encoding gives them (without the
  // template's tokens): added tokens are found inside the text. For trusted
  // text only, such as comparisons with Hugging Face.
  absl::StatusOr<std::vector<TokenId>> EncodeWithAddedTokens(absl::string_view text) const;

  // The bytes a token stands for (not always whole UTF-8); for an added token
  // its content. Empty for an id that names no token, which a model with
  // padded embeddings can emit.
  absl::string_view TokenBytes(TokenId id) const { return token_text_.BytesOf(id); }
  // The same, for many at a time.
  const TokenText& token_text() const { return token_text_; }

  // The added token with this content.
  std::optional<TokenId> IdOf(absl::string_view added_token) const;
  bool IsAdded(TokenId id) const;

  // One more than the greatest id.
  size_t vocab_size() const { return token_text_.size(); }
  // SHA-256 of the file, in hex.
  const std::string& digest() const { return digest_; }

 private:
  Tokenizer(std::unique_ptr<const PreTokenizer> pre_tokenizer, std::unique_ptr<const Bpe> bpe,
            const std::vector<AddedToken>& added_tokens, std::vector<std::string> token_bytes,
            std::string digest);

  // Returns the steps of merging.
  size_t AppendIds(absl::string_view checked_text, std::vector<TokenId>* ids) const;

  const std::unique_ptr<const PreTokenizer> pre_tokenizer_;
  const std::unique_ptr<const Bpe> bpe_;
  const AddedTokenMatcher added_tokens_;
  const std::string digest_;
  const TokenText token_text_;  // added tokens too
  std::vector<bool> is_added_;  // [vocab_size]
  absl::flat_hash_map<std::string, TokenId> added_ids_;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_TEXT_TOKENIZER_H_
