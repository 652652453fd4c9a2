#ifndef SHOAL_RUNTIME_MOE_PLACEMENT_H_
#define SHOAL_RUNTIME_MOE_PLACEMENT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace shoal {

// Where every routed expert lives, MoE layer by MoE layer: each rank has the same number of slots
// in every layer, a slot holds one logical expert, and an expert may have replicas on several
// ranks.  `layer` counts MoE layers from 0. Immutable; a change is a new placement with a higher
// version, agreed before a pass uses it.
class ExpertPlacement {
 public:
  // Expert e on rank e / (experts / ranks).  INVALID_ARGUMENT when ranks does not divide experts.
  static absl::StatusOr<ExpertPlacement> Contiguous(int layers, int experts, int ranks);
  // slots[(layer * ranks + r) * slots_per_rank + s] is the logical expert of rank r's slot s.
  // Refused: an expert id out of range, one without a slot, two copies of one expert on one rank.
  static absl::StatusOr<ExpertPlacement> FromSlots(int layers, int experts, int ranks,
                                                   std::vector<int32_t> slots, uint32_t version);
  // Greedy balance: replicas go to the most loaded experts, slots to the least loaded ranks,
  // replicas of one expert to different failure domains where there are enough.  load [layers *
  // experts], none negative; domain [ranks]. The same input gives the same placement.
  static absl::StatusOr<ExpertPlacement> Balance(int layers, absl::Span<const double> load,
                                                 absl::Span<const int32_t> domain,
                                                 int slots_per_rank, uint32_t version);

  int layers() const { return layers_; }
  int experts() const { return experts_; }
  int ranks() const { return ranks_; }
  int slots_per_rank() const { return slots_per_rank_; }
  uint32_t version() const { return version_; }
  absl::Span<const int32_t> slots() const { return slots_; }
  absl::Span<const int32_t> ExpertsOf(int layer, int rank) const;  // its slots in order

  struct Slot {
    int32_t rank = 0, slot = 0;
  };
  absl::Span<const Slot> ReplicasOf(int layer, int expert) const;
  // The replica that serves `expert` for the rank that asks: deterministic, the same for all rows
  // of a pass; results do not depend on it (rule N9), only load does.
  Slot Pick(int layer, int expert, int asking_rank) const;

  std::string Digest() const;  // SHA-256, hex; part of the layout digest

 private:
  ExpertPlacement() = default;
  // Fills replicas_ from slots_; refuses slots that break the rules of FromSlots.
  absl::Status IndexReplicas();

  int layers_ = 0, experts_ = 0, ranks_ = 0, slots_per_rank_ = 0;
  uint32_t version_ = 0;
  std::vector<int32_t> slots_;
  std::vector<Slot> replicas_;          // grouped by layer, then expert
  std::vector<int32_t> replica_begin_;  // [layers * experts + 1]
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_MOE_PLACEMENT_H_
