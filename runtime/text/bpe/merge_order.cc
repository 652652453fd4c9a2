#include "runtime/text/bpe/merge_order.h"

namespace shoal {

MergeOrder::MergeOrder(const MergeTable& table, size_t tokens) : table_(table), made_(tokens) {
  std::vector<bool> is_made(tokens);
  for (const MergeTable::Rule& rule : table.rules())
    is_made[static_cast<size_t>(rule.merged)] = true;
  for (size_t rank = 0; rank < table.rules().size(); ++rank) {
    const MergeTable::Rule& rule = table.rules()[rank];
    if (MadeBy(rule.merged) >= 0) well_founded_ = false;
    for (const TokenId part : {rule.left, rule.right}) {
      if (is_made[static_cast<size_t>(part)] && MadeBy(part) < 0) well_founded_ = false;
    }
    made_[static_cast<size_t>(rule.merged)] = {static_cast<int32_t>(rank), rule.left, rule.right};
  }
}

bool MergeOrder::BorderHolds(TokenId left, TokenId right) const {
  return table_.Rank(left, right) == MergeTable::kNoRank && InnerBordersHold(left, right);
}

bool MergeOrder::IsReachable(TokenId token) const {
  const Made& made = made_[static_cast<size_t>(token)];
  return made.by < 0 || InnerBordersHold(made.left, made.right);
}

// Goes back in time from the finished tokens to their bytes, undoing the later
// merge first, and so meets each pair that ever stood at the border together.
// Such a pair merges if its rank comes before the merges that took its sides
// away; at equal rank the leftmost goes first.
bool MergeOrder::InnerBordersHold(TokenId left, TokenId right) const {
  uint32_t left_taken_by = MergeTable::kNoRank;
  uint32_t right_taken_by = MergeTable::kNoRank;
  while (true) {
    const Made& left_made = made_[static_cast<size_t>(left)];
    const Made& right_made = made_[static_cast<size_t>(right)];
    if (left_made.by < 0 && right_made.by < 0) return true;
    if (left_made.by > right_made.by) {
      left_taken_by = static_cast<uint32_t>(left_made.by);
      left = left_made.right;
    } else {
      right_taken_by = static_cast<uint32_t>(right_made.by);
      right = right_made.left;
    }
    const uint32_t rank = table_.Rank(left, right);
    if (rank < left_taken_by && rank <= right_taken_by && rank != MergeTable::kNoRank) return false;
  }
}

}  // namespace shoal
