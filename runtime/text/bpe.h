// Byte-pair encoding (Sennrich et al. 2016) of one piece of text.

#ifndef SHOAL_RUNTIME_TEXT_BPE_H_
#define SHOAL_RUNTIME_TEXT_BPE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "runtime/base/token_id.h"

namespace shoal {

// Starts from one token per byte and merges, as long as any merge of the table
// applies, the adjacent pair of the lowest rank (of equals the leftmost).
//
// Immutable once made, therefore thread-safe.
class Bpe {
 public:
  // Ranked by position: an earlier merge is done first.
  struct MergeRule {
    TokenId left;
    TokenId right;
    TokenId merged;
  };

  // `token_bytes[id]` is what a token stands for; empty for ids that text never
  // becomes. InvalidArgument if a byte has no token, if a rule names an id
  // that is out of range or has no bytes, or bytes that do not join up, or if
  // a pair is ruled twice.
  static absl::StatusOr<Bpe> Create(const std::vector<std::string>& token_bytes,
                                    const std::vector<MergeRule>& rules);

  // Appends the tokens of `piece`. Time n log n in its length at worst.
  // REQUIRES: piece.size() < 2^31.
  void Encode(absl::string_view piece, std::vector<TokenId>* ids) const;

  // The same by the rule alone, in quadratic time: for tests.
  void EncodeNaively(absl::string_view piece, std::vector<TokenId>* ids) const;

 private:
  struct Merge {
    int32_t rank;
    TokenId merged;
  };
  static constexpr Merge kNoMerge = {INT32_MAX, -1};

  Bpe() = default;

  absl::Status AddRules(const std::vector<std::string>& token_bytes,
                        const std::vector<MergeRule>& rules);
  // Fills words_: asks Encode for every token.
  void FindWords(const std::vector<std::string>& token_bytes);
  Merge Find(TokenId left, TokenId right) const;
  void EncodeShort(absl::string_view piece, std::vector<TokenId>* ids) const;
  void EncodeLong(absl::string_view piece, std::vector<TokenId>* ids) const;

  std::array<TokenId, 256> byte_tokens_;
  absl::flat_hash_map<uint64_t, Merge> merges_;  // left << 32 | right
  // Pieces that merge into a single token, which is nearly every token and
  // most pieces of real text. Not a shortcut past the merges: a token that its
  // own bytes do not merge into is left out.
  absl::flat_hash_map<std::string, TokenId> words_;
  size_t longest_word_ = 0;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_TEXT_BPE_H_
