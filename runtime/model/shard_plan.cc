#include "runtime/model/shard_plan.h"

#include <cstddef>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "runtime/base/check.h"
#include "runtime/model/tensor_table.h"
#include "runtime/tensor/dtype.h"
#include "runtime/weights/weight_store.h"

namespace shoal {
namespace {

using Use = TensorSpec::Use;

int64_t StoredBytes(const TensorSpec& spec) {
  return spec.elements() * static_cast<int64_t>(SizeOf(spec.dtypes.front()));
}

int64_t HeldBytes(const TensorSpec& spec) {
  switch (spec.use) {
    case Use::kAbsorbed:
      return spec.elements() * static_cast<int64_t>(SizeOf(DType::kBF16));
    case Use::kVector:
      return spec.elements() * static_cast<int64_t>(SizeOf(DType::kF32));
    default:
      return StoredBytes(spec);
  }
}

void Add(const TensorSpec& spec, ShardPlan::Rank& rank) {
  ++rank.tensors;
  (spec.expert == TensorSpec::kEveryRank ? rank.replicated_bytes : rank.routed_bytes) +=
      StoredBytes(spec);
  rank.held_bytes += HeldBytes(spec);
}

// "ranks 0-15": where ranks [begin, end) read alike.
std::string Line(const ShardPlan& plan, size_t begin, size_t end) {
  const ShardPlan::Rank& r = plan.ranks[begin];
  const std::string who =
      end - begin == 1 ? absl::StrCat("rank ", begin) : absl::StrCat("ranks ", begin, "-", end - 1);
  return absl::StrFormat("%-14s %8d %14.2f %14.2f %14.2f %14.2f %8d\n", who, r.tensors,
                         1e-9 * static_cast<double>(r.replicated_bytes),
                         1e-9 * static_cast<double>(r.routed_bytes),
                         1e-9 * static_cast<double>(r.bytes()),
                         1e-9 * static_cast<double>(r.held_bytes), plan.slots_per_layer);
}

}  // namespace

ShardPlan PlanShards(const TensorTable& table, const ExpertPlacement& placement) {
  ShardPlan plan;
  plan.ranks.resize(static_cast<size_t>(placement.ranks()));
  plan.slots_per_layer = placement.slots_per_rank();
  plan.redundant_per_layer =
      placement.layers() == 0
          ? 0
          : placement.ranks() * placement.slots_per_rank() - placement.experts();
  for (const TensorSpec& spec : table) {
    ++plan.tensors;
    plan.bytes += StoredBytes(spec);
    if (spec.use == Use::kUnused || !spec.copy_of.empty()) {
      ++plan.unread_tensors;
      plan.unread_bytes += StoredBytes(spec);
    } else if (spec.expert == TensorSpec::kEveryRank) {
      for (ShardPlan::Rank& rank : plan.ranks) Add(spec, rank);
    } else {
      CHECK(spec.moe_layer < placement.layers() && spec.expert < placement.experts());
      for (const ExpertPlacement::Slot& slot : placement.ReplicasOf(spec.moe_layer, spec.expert)) {
        Add(spec, plan.ranks[static_cast<size_t>(slot.rank)]);
      }
    }
  }
  return plan;
}

std::string ShardPlan::ToString() const {
  std::string text = absl::StrFormat("%-14s %8s %14s %14s %14s %14s %8s\n", "", "tensors",
                                     "replicated GB", "routed GB", "read GB", "held GB", "slots");
  for (size_t begin = 0, end; begin < ranks.size(); begin = end) {
    for (end = begin + 1; end < ranks.size() && ranks[end] == ranks[begin];) ++end;
    text += Line(*this, begin, end);
  }
  absl::StrAppendFormat(&text, "%-14s %8d %44.2f\n", "checkpoint", tensors,
                        1e-9 * static_cast<double>(bytes));
  absl::StrAppendFormat(&text, "%-14s %8d %44.2f\n", "no rank reads", unread_tensors,
                        1e-9 * static_cast<double>(unread_bytes));
  return text;
}

absl::StatusOr<ExpertPlacement> PlaceEvenly(const DeepSeekConfig& config, const GroupShape& group) {
  const int experts = config.gate.experts;
  if (group.ranks < 1 || group.redundant_slots < 0 || group.ranks_per_node < 1) {
    return absl::InvalidArgumentError(absl::StrCat("a group of ", group.ranks, " ranks, ",
                                                   group.ranks_per_node, " on a node, with ",
                                                   group.redundant_slots, " redundant slots"));
  }
  if ((experts + int64_t{group.redundant_slots}) % group.ranks != 0) {
    return absl::InvalidArgumentError(absl::StrCat(experts, " experts and ", group.redundant_slots,
                                                   " redundant slots do not divide over ",
                                                   group.ranks, " ranks"));
  }
  if (group.ranks % group.ranks_per_node != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(group.ranks, " ranks do not divide over nodes of ", group.ranks_per_node));
  }
  const int layers = PlacedLayers(config, group.mtp);
  if (group.redundant_slots == 0) {
    return ExpertPlacement::Contiguous(layers, experts, group.ranks);
  }
  const std::vector<double> load(static_cast<size_t>(layers) * experts, 1.0);
  std::vector<int32_t> domain;
  for (int r = 0; r < group.ranks; ++r) domain.push_back(r / group.ranks_per_node);
  return ExpertPlacement::Balance(layers, load, domain,
                                  (experts + group.redundant_slots) / group.ranks, 0);
}

int64_t ActiveParameterCount(const TensorTable& table, const DeepSeekConfig& config) {
  int64_t count = 0;
  for (const TensorSpec& spec : table) {
    // Experts of a layer are alike, so the first few stand for those that the gate picks.
    const bool met = spec.expert == TensorSpec::kEveryRank || spec.expert < config.gate.top_k;
    const bool matrix = spec.shape.size() == 2 && spec.use != Use::kTable &&
                        spec.use != Use::kScale && spec.use != Use::kUnused;
    if (matrix && met) count += spec.elements();
  }
  return count;
}

int64_t CacheBytesPerPosition(const DeepSeekConfig& config, bool mtp) {
  const int64_t layers = config.layers + (mtp ? config.mtp_layers : 0);
  return layers * config.kv_line() * static_cast<int64_t>(SizeOf(DType::kBF16));
}

}  // namespace shoal
