#include "runtime/moe/placement.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "runtime/base/check.h"
#include "runtime/base/sha256.h"

namespace shoal {
namespace {

absl::Status CheckShape(int layers, int experts, int ranks) {
  if (layers < 0 || experts < 1 || ranks < 1) {
    return absl::InvalidArgumentError(absl::StrCat("placement: ", layers, " layers of ", experts,
                                                   " experts on ", ranks, " ranks"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ExpertPlacement> ExpertPlacement::Contiguous(int layers, int experts, int ranks) {
  if (absl::Status ok = CheckShape(layers, experts, ranks); !ok.ok()) return ok;
  if (experts % ranks != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("placement: ", ranks, " ranks do not divide ", experts, " experts evenly"));
  }
  std::vector<int32_t> slots;
  slots.reserve(static_cast<size_t>(layers) * experts);
  for (int layer = 0; layer < layers; ++layer) {
    for (int e = 0; e < experts; ++e) slots.push_back(e);
  }
  return FromSlots(layers, experts, ranks, std::move(slots), 0);
}

absl::StatusOr<ExpertPlacement> ExpertPlacement::FromSlots(int layers, int experts, int ranks,
                                                           std::vector<int32_t> slots,
                                                           uint32_t version) {
  if (absl::Status ok = CheckShape(layers, experts, ranks); !ok.ok()) return ok;
  const size_t cells = static_cast<size_t>(layers) * ranks;
  if (cells == 0 ? !slots.empty() : (slots.empty() || slots.size() % cells != 0)) {
    return absl::InvalidArgumentError(absl::StrCat("placement: ", slots.size(),
                                                   " slots are not the same number for each of ",
                                                   cells, " (layer, rank) pairs"));
  }
  // Before anything is sized by it: the numbers may come from the wire.
  const size_t slots_of_layer = cells == 0 ? 0 : slots.size() / layers;
  if (cells > 0 && static_cast<size_t>(experts) > slots_of_layer) {
    return absl::InvalidArgumentError(
        absl::StrCat("placement: ", experts, " experts of a layer in ", slots_of_layer, " slots"));
  }
  ExpertPlacement p;
  p.layers_ = layers;
  p.experts_ = experts;
  p.ranks_ = ranks;
  p.slots_per_rank_ = cells == 0 ? 0 : static_cast<int>(slots.size() / cells);
  p.version_ = version;
  p.slots_ = std::move(slots);
  if (absl::Status ok = p.IndexReplicas(); !ok.ok()) return ok;
  return p;
}

absl::Status ExpertPlacement::IndexReplicas() {
  replica_begin_.assign(1, 0);
  if (layers_ == 0) return absl::OkStatus();
  std::vector<std::vector<Slot>> of(experts_);
  for (int layer = 0; layer < layers_; ++layer) {
    for (std::vector<Slot>& replicas : of) replicas.clear();
    for (int rank = 0; rank < ranks_; ++rank) {
      const absl::Span<const int32_t> held = ExpertsOf(layer, rank);
      for (int slot = 0; slot < slots_per_rank_; ++slot) {
        const int32_t e = held[slot];
        const std::string place =
            absl::StrCat("placement: layer ", layer, ", rank ", rank, ", slot ", slot);
        if (e < 0 || e >= experts_) {
          return absl::InvalidArgumentError(absl::StrCat(place, ": expert ", e, " of ", experts_));
        }
        if (!of[e].empty() && of[e].back().rank == rank) {
          return absl::InvalidArgumentError(
              absl::StrCat(place, ": expert ", e, " is in slot ", of[e].back().slot, " already"));
        }
        of[e].push_back({rank, slot});
      }
    }
    for (int e = 0; e < experts_; ++e) {
      if (of[e].empty()) {
        return absl::InvalidArgumentError(
            absl::StrCat("placement: layer ", layer, ": expert ", e, " has no slot"));
      }
      replicas_.insert(replicas_.end(), of[e].begin(), of[e].end());
      replica_begin_.push_back(static_cast<int32_t>(replicas_.size()));
    }
  }
  return absl::OkStatus();
}

absl::Span<const int32_t> ExpertPlacement::ExpertsOf(int layer, int rank) const {
  DCHECK(layer >= 0 && layer < layers_ && rank >= 0 && rank < ranks_);
  return absl::MakeConstSpan(slots_).subspan(
      (static_cast<size_t>(layer) * ranks_ + rank) * slots_per_rank_, slots_per_rank_);
}

absl::Span<const ExpertPlacement::Slot> ExpertPlacement::ReplicasOf(int layer, int expert) const {
  DCHECK(layer >= 0 && layer < layers_ && expert >= 0 && expert < experts_);
  const size_t i = static_cast<size_t>(layer) * experts_ + expert;
  return absl::MakeConstSpan(replicas_).subspan(replica_begin_[i],
                                                replica_begin_[i + 1] - replica_begin_[i]);
}

ExpertPlacement::Slot ExpertPlacement::Pick(int layer, int expert, int asking_rank) const {
  const absl::Span<const Slot> replicas = ReplicasOf(layer, expert);
  for (const Slot& s : replicas) {
    if (s.rank == asking_rank) return s;  // what need not travel does not
  }
  return replicas[(static_cast<size_t>(asking_rank) + expert) % replicas.size()];
}

std::string ExpertPlacement::Digest() const {
  std::string text = absl::StrCat("shoal placement 1: ", version_, " ", layers_, " ", experts_, " ",
                                  ranks_, " ", slots_per_rank_);
  for (const int32_t e : slots_) absl::StrAppend(&text, " ", e);
  return HexOf(Sha256Of(text));
}

}  // namespace shoal
