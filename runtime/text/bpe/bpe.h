// Byte-pair encoding (Sennrich et al. 2016) of text that is cut into pieces.

#ifndef SHOAL_RUNTIME_TEXT_BPE_BPE_H_
#define SHOAL_RUNTIME_TEXT_BPE_BPE_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "runtime/base/token_id.h"
#include "runtime/text/bpe/closed_characters.h"
#include "runtime/text/bpe/merge_order.h"
#include "runtime/text/bpe/merge_table.h"
#include "runtime/text/bpe/piece_memo.h"
#include "runtime/text/bpe/word_table.h"

namespace shoal {

// Starts from one token per byte and merges, as long as any merge of the table
// applies, the adjacent pair of the lowest rank (of equals the leftmost).
//
// Ways that give the ids that this rule gives, and less work: a piece that is a
// token is looked up; one that came before in the same text is copied; merging
// starts from closed characters; a long piece goes by windows whose seams are
// checked; where a seam does not hold, by a heap.
//
// Immutable once made, therefore thread-safe: nothing of a text stays.
class Bpe {
 public:
  using MergeRule = MergeTable::Rule;

  // `token_bytes[id]` is what a token stands for; empty for ids that text never
  // becomes. InvalidArgument if a byte has no token, or for rules that
  // MergeTable refuses.
  static absl::StatusOr<std::unique_ptr<const Bpe>> Create(
      const std::vector<std::string>& token_bytes, const std::vector<MergeRule>& rules);

  // Appends the tokens of the pieces of `text` that end at `ends`; the first
  // begins at `begin`, each other where the one before ends. REQUIRES: `text`
  // and its pieces are UTF-8, and each piece is shorter than 2^31 bytes.
  // `memo`, unless null, is of the same text and ids. Returns the steps of all
  // merges.
  size_t Encode(absl::string_view text, size_t begin, absl::Span<const size_t> ends,
                PieceMemo* memo, std::vector<TokenId>* ids) const;

  // Appends the tokens of one piece by merging. Time n log n in its length at
  // worst; returns what it is proportional to: probes of the tables and
  // elements pushed to the heap.
  size_t Merge(absl::string_view piece, std::vector<TokenId>* ids) const;

 private:
  Bpe(const std::vector<std::string>& token_bytes, MergeTable table);

  const MergeTable table_;
  const MergeOrder order_;
  const ClosedCharacters characters_;
  // The tokens that their own bytes merge into: nearly every token, and most
  // pieces of real text.
  const WordTable words_;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_TEXT_BPE_BPE_H_
