#include "tests/parity/saboteurs.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <vector>

#include "runtime/tensor/dtype.h"
#include "tests/parity/forwarding_ops.h"

namespace shoal {
namespace {

class CombineByRankOps : public ForwardingOps {
 public:
  CombineByRankOps(Ops& real, const ExpertPlacement& placement, int rank)
      : ForwardingOps(real), placement_(placement), rank_(rank) {}

  // The real op, once per place in the wrong order, with one expert at a time.
  void CombineExperts(Tensor home, const Routing& routing, Tensor out) override {
    const int ranks = placement_.ranks();
    for (int64_t t = 0; t < routing.rows(); ++t) {
      std::vector<int> order(static_cast<size_t>(routing.k));
      std::iota(order.begin(), order.end(), 0);
      const auto distance = [&](int j) {
        const int expert = routing.expert[t * routing.k + j];
        return (placement_.ReplicasOf(0, expert).front().rank - rank_ + ranks) % ranks;
      };
      std::stable_sort(order.begin(), order.end(),
                       [&](int a, int b) { return distance(a) < distance(b); });
      for (const int j : order) {
        const int64_t pair = t * routing.k + j;
        real_.CombineExperts(home.Rows(pair, 1),
                             {1, {routing.expert[pair]}, {routing.weight[pair]}}, out.Rows(t, 1));
      }
    }
  }

 private:
  const ExpertPlacement& placement_;
  const int rank_;
};

// Drops the last bit of an activation, as a cast to a narrower type on the wire would drop several.
void DropLastBit(Tensor row) {
  for (int64_t i = 0; i < row.cols; ++i) {
    if (row.dtype == DType::kBF16) {
      row.At<BF16>(0)[i].bits &= 0xfffe;
    } else {
      row.At<uint32_t>(0)[i] &= 0xffff0000u;
    }
  }
}

class CastAfterDispatchExchange : public ExpertExchange {
 public:
  CastAfterDispatchExchange(ExpertExchange& real, const ExpertPlacement& placement, int rank)
      : real_(real), placement_(placement), rank_(rank) {}

  Dispatched BeginDispatch(int channel, int layer, Arena& arena, Tensor x,
                           const Routing& routing) override {
    return real_.BeginDispatch(channel, layer, arena, x, routing);
  }
  void EndDispatch(Arena& arena, Dispatched& d) override { real_.EndDispatch(arena, d); }
  void BeginCombine(Arena& arena, Dispatched& d, Tensor y) override {
    real_.BeginCombine(arena, d, y);
  }
  Tensor EndCombine(Arena& arena, Dispatched& d, const Routing& routing) override {
    const Tensor home = real_.EndCombine(arena, d, routing);
    for (int64_t pair = 0; pair < home.rows; ++pair) {
      if (placement_.Pick(d.layer, routing.expert[pair], rank_).rank != rank_)
        DropLastBit(home.Rows(pair, 1));
    }
    return home;
  }

 private:
  ExpertExchange& real_;
  const ExpertPlacement& placement_;
  const int rank_;
};

}  // namespace

std::unique_ptr<Ops> CombineByRank(Ops& real, const ExpertPlacement& placement, int rank) {
  return std::make_unique<CombineByRankOps>(real, placement, rank);
}

std::unique_ptr<ExpertExchange> CastAfterDispatch(ExpertExchange& real,
                                                  const ExpertPlacement& placement, int rank) {
  return std::make_unique<CastAfterDispatchExchange>(real, placement, rank);
}

}  // namespace shoal
