#include "runtime/engine/packed_batch.h"

namespace shoal {

const Batch& PackedBatch::Pack(const StepPlan& plan) {
  ids_.clear();
  places_.clear();
  blocks_.clear();
  block_tables_.clear();
  logit_rows_.clear();
  for (const StepPlan::Piece& piece : plan.pieces) {
    blocks_.insert(blocks_.end(), piece.blocks.begin(), piece.blocks.end());
  }
  const int32_t* table = blocks_.data();
  for (const StepPlan::Piece& piece : plan.pieces) {
    const auto index = static_cast<int32_t>(block_tables_.size());
    block_tables_.emplace_back(table, piece.blocks.size());
    table += piece.blocks.size();
    ids_.insert(ids_.end(), piece.ids.begin(), piece.ids.end());
    for (int64_t position = piece.position; position < piece.end(); ++position) {
      places_.push_back({static_cast<int32_t>(position), index});
    }
    if (piece.samples) {
      logit_rows_.push_back(static_cast<int32_t>(ids_.size()) - 1);
    }
  }
  batch_ = {ids_, places_, block_tables_, logit_rows_};
  return batch_;
}

}  // namespace shoal
