#ifndef SHOAL_RUNTIME_MODEL_SHARD_PLAN_H_
#define SHOAL_RUNTIME_MODEL_SHARD_PLAN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "runtime/model/config.h"
#include "runtime/moe/placement.h"
#include "runtime/weights/tensor_table.h"

namespace shoal {

// Which part of a checkpoint every rank of a group reads, in numbers: what LoadDeepSeek will do,
// known from config.json alone.  Bytes are of tensor data, counted with the first allowed dtype of
// each tensor.
struct ShardPlan {
  struct Rank {
    int64_t tensors = 0;           // that it reads
    int64_t routed_bytes = 0;      // of its slots' experts, block scales included
    int64_t replicated_bytes = 0;  // of what every rank reads
    // Of its weights once loaded, packed: kv_b_proj becomes bf16 and vectors become float32
    // (runtime/weights).  A device may pad.
    int64_t held_bytes = 0;
    int64_t bytes() const { return routed_bytes + replicated_bytes; }
    friend bool operator==(const Rank&, const Rank&) = default;
  };
  std::vector<Rank> ranks;
  int slots_per_layer = 0;      // of each rank, in every MoE layer
  int redundant_per_layer = 0;  // of the whole group, beyond one slot per expert
  // The checkpoint: all of it, and what no rank reads: an MTP module that is not loaded, and the
  // copies (TensorSpec::copy_of) of one that is.
  int64_t tensors = 0, bytes = 0;
  int64_t unread_tensors = 0, unread_bytes = 0;

  // A line for all ranks that read alike, and the totals.
  std::string ToString() const;
};

// REQUIRES: `table` and `placement` were made for one config and the same choice of `mtp`.
ShardPlan PlanShards(const TensorTable& table, const ExpertPlacement& placement);

// What a group of so many ranks looks like.
struct GroupShape {
  int ranks = 1;
  int redundant_slots = 0;  // a layer, over all ranks; each rank takes the same number
  int ranks_per_node = 1;   // ranks that fail together: replicas of an expert keep apart
  bool mtp = false;         // the multi-token-prediction module is loaded too (LoadOptions::mtp)
};

// Where experts live before any load is known: contiguous shares, or, with redundant slots, the
// balance of equal loads.  INVALID_ARGUMENT names the values that do not divide.
absl::StatusOr<ExpertPlacement> PlaceEvenly(const DeepSeekConfig& config, const GroupShape& group);

// Parameters of the matrices that one token is multiplied by, for a table without MTP module: no
// embedding (a row is read), no vectors, no experts that the gate leaves out, no block scales.
int64_t ActiveParameterCount(const TensorTable& table, const DeepSeekConfig& config);

// Of the latent cache, all layers, for one position of one sequence; bf16.
int64_t CacheBytesPerPosition(const DeepSeekConfig& config, bool mtp);

}  // namespace shoal

#endif  // SHOAL_RUNTIME_MODEL_SHARD_PLAN_H_
