#ifndef SHOAL_RUNTIME_MOE_EXCHANGE_H_
#define SHOAL_RUNTIME_MOE_EXCHANGE_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "runtime/comm/communicator.h"
#include "runtime/device/ops.h"
#include "runtime/moe/placement.h"
#include "runtime/tensor/arena.h"

namespace shoal {

// What one rank holds between BeginDispatch and EndCombine of one MoE layer: the rows that came to
// its experts, grouped by local slot, and the way home.
struct Dispatched {
  Tensor x;                        // [rows, d] act, grouped by local slot; valid after EndDispatch
  std::vector<int32_t> slot_rows;  // [slots_per_rank] rows per local slot
  // The way home; the exchange's own.
  int channel = 0, layer = 0;
  std::vector<int32_t> arrival;    // per row of x: its index in arrival order (rank by rank)
  std::vector<int32_t> from_rank;  // [ranks] pairs that came from each
  std::vector<int32_t> pair_home;  // per pair sent, in send order: its index in Routing
  std::vector<int32_t> to_rank;    // [ranks] pairs sent to each
};

// Moves tokens to the ranks that hold their experts and the experts' outputs home, split-phase so
// that shared experts (or the other half-batch) can run while tokens travel.  All four calls are
// collective and in this order; T = 0 is ordinary.  A token goes to a rank once, however many of
// its experts live there; outputs come home one per (token, expert), because rule N9 fixes the
// order of their sum. Everything that came from a peer is checked; a lie becomes the communicator's
// sticky error and rows of zeros.
class ExpertExchange {
 public:
  virtual ~ExpertExchange() = default;
  // x [T, d] act; `layer` counts MoE layers from 0.
  virtual Dispatched BeginDispatch(int channel, int layer, Arena& arena, Tensor x,
                                   const Routing& routing) = 0;
  virtual void EndDispatch(Arena& arena, Dispatched& d) = 0;
  virtual void BeginCombine(Arena& arena, Dispatched& d, Tensor y) = 0;  // y act [rows, d], as d.x
  // Returns [T * k, d] act, pair-ordered as the routing given to BeginDispatch: what
  // Ops::CombineExperts takes.
  virtual Tensor EndCombine(Arena& arena, Dispatched& d, const Routing& routing) = 0;
};

// What the rows of a model's exchange look like.
struct ExchangeShape {
  int hidden = 0;  // d
  int top_k = 0;   // experts of a row, at most
  DType act = DType::kBF16;
};

// The host-exact kind: messages carry real rows only, with their counts inside, and host code packs
// and unpacks them.  For devices whose memory the host reads and whose ops run when called (the
// CPU).  `comm` and `placement` must outlive it.  REQUIRES: placement.ranks() == comm.size().
std::unique_ptr<ExpertExchange> NewHostExchange(Communicator& comm,
                                                const ExpertPlacement& placement,
                                                const ExchangeShape& shape);

}  // namespace shoal

#endif  // SHOAL_RUNTIME_MOE_EXCHANGE_H_
