// What the order of merges says about the borders between tokens.

#ifndef SHOAL_RUNTIME_TEXT_BPE_MERGE_ORDER_H_
#define SHOAL_RUNTIME_TEXT_BPE_MERGE_ORDER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "runtime/base/token_id.h"
#include "runtime/text/bpe/merge_table.h"

namespace shoal {

// A table that training wrote is well-founded: one rule makes a token, and
// rules join what earlier rules made. Merging then goes through the ranks in
// ascending order, and borders can be judged one by one:
//
//   A sequence of tokens is an encoding if and only if every token is the
//   encoding of its own bytes and the border between each two neighbours
//   holds, that is, if the two are the encoding of their joined bytes.
//
// (No merge reaches across a border that holds, whatever lies beyond the two.)
//
// Immutable, therefore thread-safe. The table outlives it.
class MergeOrder {
 public:
  MergeOrder(const MergeTable& table, size_t tokens);

  // Everything below requires it.
  bool well_founded() const { return well_founded_; }

  // Whether the border between the two holds. Steps: the merges on the right
  // edge of `left` and the left edge of `right`.
  // REQUIRES: each is the encoding of its own bytes.
  bool BorderHolds(TokenId left, TokenId right) const;

  // Whether the token's bytes merge into it; not so if another merge comes
  // between. REQUIRES: reachable for the two tokens that it is made of.
  bool IsReachable(TokenId token) const;

  // The rule that makes the token; -1 if none does.
  int32_t MadeBy(TokenId token) const { return made_[static_cast<size_t>(token)].by; }

 private:
  // The rule that makes a token, and its sides, where one look finds all.
  struct Made {
    int32_t by = -1;
    TokenId left = -1;
    TokenId right = -1;
  };

  bool InnerBordersHold(TokenId left, TokenId right) const;

  const MergeTable& table_;
  std::vector<Made> made_;  // by token
  bool well_founded_ = true;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_TEXT_BPE_MERGE_ORDER_H_
