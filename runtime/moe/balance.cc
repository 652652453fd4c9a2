// ExpertPlacement::Balance, one layer at a time.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "runtime/base/check.h"
#include "runtime/moe/placement.h"

namespace shoal {
namespace {

// How many replicas each expert gets: one, and each further one to the expert whose replicas are
// busiest. REQUIRES: load.size() <= slots <= load.size() * ranks.
std::vector<int> CountReplicas(absl::Span<const double> load, int slots, int ranks) {
  const int experts = static_cast<int>(load.size());
  std::vector<int> count(experts, 1);
  for (int extra = slots - experts; extra > 0; --extra) {
    int best = -1;
    for (int e = 0; e < experts; ++e) {
      if (count[e] == ranks) continue;
      if (best < 0 || std::pair(load[e] / count[e], -count[e]) >
                          std::pair(load[best] / count[best], -count[best])) {
        best = e;
      }
    }
    ++count[best];
  }
  return count;
}

// What the choice between equally distant ranks goes by.
enum class Prefer { kIdleRank, kRoomyDomain };

// One layer's slots as they fill up.
class LayerPacker {
 public:
  // replica_load [experts]; domain [ranks], numbered from 0 without gaps.
  LayerPacker(absl::Span<const double> replica_load, absl::Span<const int32_t> domain,
              int slots_per_rank, Prefer prefer)
      : load_(replica_load),
        domain_(domain),
        slots_per_rank_(slots_per_rank),
        prefer_(prefer),
        used_(domain.size()),
        held_(domain.size()),
        busy_(domain.size(), 0.0),
        holds_(domain.size(), std::vector<bool>(load_.size())),
        copies_(domain.size(), std::vector<int>(load_.size())) {}

  // Puts one more replica of `e` on a rank that has none: in the domain with the fewest of them,
  // then on the least loaded rank.  A full rank is considered where none with room is as far from
  // the other replicas; one of its experts then moves to make room.
  void Place(int32_t e) {
    int best = -1;
    for (int r = 0; r < ranks(); ++r) {
      if (holds_[r][e] || Full(r)) continue;
      if (best < 0 || Key(r, e) < Key(best, e)) best = r;
    }
    Move move;
    int cost = best < 0 ? std::numeric_limits<int>::max() : Copies(best, e);
    for (int r = 0; r < ranks(); ++r) {
      if (holds_[r][e] || !Full(r) || Copies(r, e) >= cost) continue;
      const Move m = FindMove(r);
      if (m.to < 0 || Copies(r, e) + m.closer >= cost) continue;
      best = r, move = m, cost = Copies(r, e) + m.closer;
    }
    CHECK_GE(best, 0) << "no rank can take expert " << e;
    if (move.to >= 0) {
      Remove(best, move.expert);
      Add(move.to, move.expert);
    }
    Add(best, e);
  }

  // Replicas that share a domain although another domain has none of their expert.
  int Crowded() const {
    int crowded = 0;
    const int domains = *std::max_element(domain_.begin(), domain_.end()) + 1;
    for (size_t e = 0; e < load_.size(); ++e) {
      int copies = 0, covered = 0;
      for (int d = 0; d < domains; ++d) copies += copies_[d][e], covered += copies_[d][e] > 0;
      crowded += std::min(copies, domains) - covered;
    }
    return crowded;
  }

  // Slots of all ranks, each rank's experts ascending.
  void AppendTo(std::vector<int32_t>* slots) {
    for (std::vector<int32_t>& held : held_) {
      std::sort(held.begin(), held.end());
      slots->insert(slots->end(), held.begin(), held.end());
    }
  }

 private:
  struct Move {
    int32_t expert = -1;
    int to = -1;
    int closer = 0;  // how many more copies of it the new domain has than the old one had
  };

  int ranks() const { return static_cast<int>(held_.size()); }
  bool Full(int r) const { return static_cast<int>(held_[r].size()) == slots_per_rank_; }
  int Copies(int r, int32_t e) const { return copies_[domain_[r]][e]; }
  std::tuple<int, int, double, size_t, int> Key(int r, int32_t e) const {
    const int crowd = prefer_ == Prefer::kRoomyDomain ? used_[domain_[r]] : 0;
    return {Copies(r, e), crowd, busy_[r], held_[r].size(), r};
  }

  void Add(int r, int32_t e) {
    held_[r].push_back(e);
    holds_[r][e] = true;
    ++copies_[domain_[r]][e];
    ++used_[domain_[r]];
    busy_[r] += load_[e];
  }
  void Remove(int r, int32_t e) {
    held_[r].erase(std::find(held_[r].begin(), held_[r].end(), e));
    holds_[r][e] = false;
    --copies_[domain_[r]][e];
    --used_[domain_[r]];
    busy_[r] -= load_[e];
  }

  // The best way to free a slot of the full rank `from`.  There is one as long as a rank with room
  // exists: it holds fewer experts than `from`, so `from` holds one that it does not.
  Move FindMove(int from) const {
    Move best;
    for (int to = 0; to < ranks(); ++to) {
      if (Full(to)) continue;
      for (const int32_t e : held_[from]) {
        if (holds_[to][e]) continue;
        const int closer =
            std::max(0, Copies(to, e) - Copies(from, e) + (domain_[to] != domain_[from]));
        if (best.to < 0 || std::tuple(closer, busy_[to], load_[e]) <
                               std::tuple(best.closer, busy_[best.to], load_[best.expert])) {
          best = {e, to, closer};
        }
      }
    }
    return best;
  }

  const absl::Span<const double> load_;  // of one replica, by expert
  const absl::Span<const int32_t> domain_;
  const int slots_per_rank_;
  const Prefer prefer_;
  std::vector<int> used_;                   // slots by domain
  std::vector<std::vector<int32_t>> held_;  // experts by rank
  std::vector<double> busy_;                // load by rank
  std::vector<std::vector<bool>> holds_;    // by rank and expert
  std::vector<std::vector<int>> copies_;    // by domain and expert
};

// The domains by number, from 0 without gaps.
std::vector<int32_t> NumberDomains(absl::Span<const int32_t> domain) {
  std::map<int32_t, int32_t> number;
  std::vector<int32_t> numbered;
  for (const int32_t d : domain) {
    numbered.push_back(number.emplace(d, static_cast<int32_t>(number.size())).first->second);
  }
  return numbered;
}

absl::Status CheckBalanceInput(int layers, absl::Span<const double> load,
                               absl::Span<const int32_t> domain, int slots_per_rank) {
  if (layers < 1 || domain.empty() || load.empty() || load.size() % layers != 0) {
    return absl::InvalidArgumentError(absl::StrCat("placement: ", load.size(), " loads for ",
                                                   layers, " layers on ", domain.size(), " ranks"));
  }
  for (size_t i = 0; i < load.size(); ++i) {
    if (!(load[i] >= 0) || std::isinf(load[i])) {
      return absl::InvalidArgumentError(absl::StrCat("placement: load ", i, " is ", load[i]));
    }
  }
  const int64_t experts = static_cast<int64_t>(load.size()) / layers;
  const int64_t ranks = static_cast<int64_t>(domain.size());
  if (slots_per_rank > experts) {
    return absl::InvalidArgumentError(absl::StrCat("placement: ", slots_per_rank,
                                                   " slots on a rank for only ", experts,
                                                   " experts, and no rank holds one twice"));
  }
  if (slots_per_rank < 1 || slots_per_rank * ranks < experts) {
    return absl::InvalidArgumentError(absl::StrCat("placement: ", slots_per_rank,
                                                   " slots on each of ", ranks,
                                                   " ranks do not hold ", experts, " experts"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ExpertPlacement> ExpertPlacement::Balance(int layers, absl::Span<const double> load,
                                                         absl::Span<const int32_t> domain,
                                                         int slots_per_rank, uint32_t version) {
  if (absl::Status ok = CheckBalanceInput(layers, load, domain, slots_per_rank); !ok.ok())
    return ok;
  const int ranks = static_cast<int>(domain.size());
  const int experts = static_cast<int>(load.size()) / layers;
  const std::vector<int32_t> numbered = NumberDomains(domain);
  std::vector<int32_t> slots;
  slots.reserve(static_cast<size_t>(layers) * ranks * slots_per_rank);
  for (int layer = 0; layer < layers; ++layer) {
    const absl::Span<const double> of = load.subspan(static_cast<size_t>(layer) * experts, experts);
    const std::vector<int> count = CountReplicas(of, slots_per_rank * ranks, ranks);
    std::vector<double> replica_load(experts);
    for (int e = 0; e < experts; ++e) replica_load[e] = of[e] / count[e];
    // Experts with many replicas are the hardest to keep apart, so they choose first; then the
    // heavy ones.
    std::vector<int32_t> order(experts);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
      return std::pair(count[a], replica_load[a]) > std::pair(count[b], replica_load[b]);
    });
    const auto pack = [&](Prefer prefer) {
      LayerPacker packer(replica_load, numbered, slots_per_rank, prefer);
      for (const int32_t e : order) {
        for (int i = 0; i < count[e]; ++i) packer.Place(e);
      }
      return packer;
    };
    // The even load first; where it leaves replicas together that could be apart, safety first.
    LayerPacker packer = pack(Prefer::kIdleRank);
    if (packer.Crowded() > 0) {
      LayerPacker apart = pack(Prefer::kRoomyDomain);
      if (apart.Crowded() < packer.Crowded()) {
        apart.AppendTo(&slots);
        continue;
      }
    }
    packer.AppendTo(&slots);
  }
  return FromSlots(layers, experts, ranks, std::move(slots), version);
}

}  // namespace shoal
