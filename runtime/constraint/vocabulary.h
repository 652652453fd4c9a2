#ifndef SHOAL_RUNTIME_CONSTRAINT_VOCABULARY_H_
#define SHOAL_RUNTIME_CONSTRAINT_VOCABULARY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "runtime/base/token_id.h"

namespace shoal {

// A model's tokens as a trie of their bytes. Immutable, therefore thread-safe;
// one for all constraints of a model.
class Vocabulary {
 public:
  // A node in depth-first order: the nodes below it are those up to `end`, its
  // siblings begin at `end`. Node 0 is the root.
  struct Node {
    uint32_t end;
    TokenId token;   // whose bytes end here, or kNone
    uint16_t depth;  // bytes from the root
    uint8_t byte;
  };
  static constexpr TokenId kNone = -1;

  // `bytes[id]`: what a token stands for; empty for tokens that no constraint
  // ever allows (added tokens, ids without a token). `end_tokens` end a text.
  // INVALID_ARGUMENT: a byte without a token of its own (with one for each, a
  // text can always be written to its end), an end token that is not below
  // bytes.size() or stands for bytes, or none.
  static absl::StatusOr<std::shared_ptr<const Vocabulary>> Create(
      absl::Span<const absl::string_view> bytes, std::vector<TokenId> end_tokens);

  absl::Span<const Node> nodes() const { return nodes_; }
  // Empty for tokens that no constraint allows.
  absl::string_view BytesOf(TokenId token) const;
  bool IsEnd(TokenId token) const;
  const std::vector<TokenId>& end_tokens() const { return end_tokens_; }
  // One more than the greatest id.
  size_t size() const { return places_.size() - 1; }
  // In bytes.
  size_t longest_token() const { return longest_token_; }
  // 64-bit words of a mask over all ids.
  size_t mask_words() const { return (size() + 63) / 64; }

 private:
  Vocabulary() = default;
  void BuildTrie();

  std::vector<char> bytes_;
  std::vector<uint32_t> places_;  // of a token in bytes_, by id; one more at the end
  size_t longest_token_ = 0;
  std::vector<TokenId> end_tokens_;
  std::vector<Node> nodes_;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_CONSTRAINT_VOCABULARY_H_
