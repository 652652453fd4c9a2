// Characters that merging may start from in place of their bytes.

#ifndef SHOAL_RUNTIME_TEXT_BPE_CLOSED_CHARACTERS_H_
#define SHOAL_RUNTIME_TEXT_BPE_CLOSED_CHARACTERS_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

#include "runtime/base/token_id.h"
#include "runtime/text/bpe/merge_order.h"
#include "runtime/text/bpe/merge_table.h"

namespace shoal {

// A character is closed if its bytes merge into one token whatever stands
// beside it: as long as it is in parts, no neighbour can join an edge of it
// before the part on that edge is taken by the character's own merge. Merging
// from closed characters gives what merging from bytes gives, in a third of
// the steps where characters have three bytes.
//
// Immutable once made, therefore thread-safe.
class ClosedCharacters {
 public:
  // `token_bytes[id]` is what a token stands for. REQUIRES: every byte has a
  // token.
  ClosedCharacters(const std::vector<std::string>& token_bytes, const MergeTable& table,
                   const MergeOrder& order);

  // The tokens to start from, appended: of closed characters theirs, of other
  // bytes one each. REQUIRES: `piece` is UTF-8.
  void AppendStart(absl::string_view piece, std::vector<TokenId>* tokens) const;
  // The same into an array of piece.size() at least; returns how many.
  size_t Start(absl::string_view piece, TokenId* tokens) const;

  // One per byte, whatever the bytes are.
  void AppendBytes(absl::string_view piece, std::vector<TokenId>* tokens) const;

 private:
  // Code points from here on start as bytes.
  static constexpr uint32_t kCodePoints = 0x20000;

  std::array<TokenId, 256> byte_tokens_;
  std::vector<TokenId> characters_;  // [kCodePoints]; -1: not closed
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_TEXT_BPE_CLOSED_CHARACTERS_H_
