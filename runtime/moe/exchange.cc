#include "runtime/moe/exchange.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "runtime/base/check.h"
#include "runtime/comm/lost_rank.h"
#include "runtime/moe/dispatch_message.h"

namespace shoal {
namespace {

// Copies row `from` of a to row `to` of b.  REQUIRES: both have the same cols and dtype, and one
// head.
void CopyRow(const Tensor& a, int64_t from, const Tensor& b, int64_t to) {
  const size_t size = SizeOf(a.dtype);
  const size_t bytes = static_cast<size_t>(a.cols) * size;
  std::memcpy(b.data + static_cast<size_t>(to * b.row_stride) * size,
              a.data + static_cast<size_t>(from * a.row_stride) * size, bytes);
}

// The host-exact kind: counts travel inside the messages, and only real rows do.
class HostExchange final : public ExpertExchange {
 public:
  HostExchange(Communicator& comm, const ExpertPlacement& placement, const ExchangeShape& shape)
      : comm_(comm),
        placement_(placement),
        shape_(shape),
        row_bytes_(static_cast<size_t>(shape.hidden) * SizeOf(shape.act)),
        writers_(comm.size()),
        outgoing_(comm.size()),
        incoming_(comm.size()) {}

  Dispatched BeginDispatch(int channel, int layer, Arena& arena, Tensor x,
                           const Routing& routing) override;
  void EndDispatch(Arena& arena, Dispatched& d) override;
  void BeginCombine(Arena& arena, Dispatched& d, Tensor y) override;
  Tensor EndCombine(Arena& arena, Dispatched& d, const Routing& routing) override;

 private:
  // Counts rows and pairs for every rank, and lays out one message each.
  void LayOut(int layer, Arena& arena, const Routing& routing);
  // Slots of `layer` that arrived, counted; false after a lie, which is then the communicator's
  // error.
  bool ReadArrivals(const Dispatched& d, std::vector<DispatchMessage>* messages);
  Tensor NewRows(Arena& arena, int64_t rows) const {
    return arena.New(shape_.act, rows, shape_.hidden);
  }

  Communicator& comm_;
  const ExpertPlacement& placement_;
  const ExchangeShape shape_;
  const size_t row_bytes_;

  // Scratch of one call, kept for its capacity.  Owned by the engine thread.
  std::vector<ExpertPlacement::Slot> picked_;  // [T * k]
  std::vector<DispatchWriter> writers_;        // [ranks]
  std::vector<ConstBytes> outgoing_;           // [ranks]
  std::vector<Bytes> incoming_;                // [ranks]
  std::vector<DispatchMessage> messages_;      // [ranks]
  std::vector<int64_t> cursor_;                // [ranks] or [slots_per_rank]
};

void HostExchange::LayOut(int layer, Arena& arena, const Routing& routing) {
  const int k = routing.k;
  picked_.resize(routing.expert.size());
  std::fill(writers_.begin(), writers_.end(), DispatchWriter());
  for (int64_t t = 0; t < routing.rows(); ++t) {
    for (int64_t i = t * k; i < (t + 1) * k; ++i) {
      picked_[i] = placement_.Pick(layer, routing.expert[i], comm_.rank());
      writers_[picked_[i].rank].Count(t);
    }
  }
  for (int r = 0; r < comm_.size(); ++r) {
    const size_t size = writers_[r].MessageBytes(row_bytes_);
    writers_[r].Start(size == 0 ? nullptr : arena.NewBytes(size), layer, row_bytes_);
    outgoing_[r] = writers_[r].message();
  }
}

Dispatched HostExchange::BeginDispatch(int channel, int layer, Arena& arena, Tensor x,
                                       const Routing& routing) {
  CHECK_EQ(x.rows, routing.rows());
  CHECK(x.rows == 0 || (x.dtype == shape_.act && x.heads == 1 && x.cols == shape_.hidden))
      << x.ShapeString();
  CHECK_LE(routing.k, shape_.top_k);
  CHECK(layer >= 0 && layer < placement_.layers()) << "layer " << layer;
  Dispatched d;
  d.channel = channel, d.layer = layer;
  LayOut(layer, arena, routing);
  d.to_rank.resize(comm_.size());
  for (int r = 0; r < comm_.size(); ++r) d.to_rank[r] = static_cast<int32_t>(writers_[r].pairs());
  d.pair_home.resize(routing.expert.size());
  cursor_.assign(comm_.size(), 0);
  std::exclusive_scan(d.to_rank.begin(), d.to_rank.end(), cursor_.begin(), int64_t{0});
  for (int64_t t = 0; t < routing.rows(); ++t) {
    for (int64_t i = t * routing.k; i < (t + 1) * routing.k; ++i) {
      const auto [rank, slot] = picked_[i];
      const std::byte* row = x.data + static_cast<size_t>(t * x.row_stride) * SizeOf(x.dtype);
      writers_[rank].Add(t, slot, row, row_bytes_);
      d.pair_home[cursor_[rank]++] = static_cast<int32_t>(i);
    }
  }
  comm_.BeginAllToAll(channel, outgoing_);
  return d;
}

bool HostExchange::ReadArrivals(const Dispatched& d, std::vector<DispatchMessage>* messages) {
  messages->clear();
  if (!comm_.status().ok()) return false;
  size_t pairs = 0;
  for (int r = 0; r < comm_.size(); ++r) {
    const DispatchLimits limits = {.layer = d.layer,
                                   .slots = placement_.slots_per_rank(),
                                   .top_k = shape_.top_k,
                                   .row_bytes = row_bytes_};
    absl::StatusOr<DispatchMessage> message = DispatchMessage::Parse(incoming_[r], limits);
    if (!message.ok()) {
      comm_.Abort(LyingRankError(r, message.status().message()));
      return false;
    }
    messages->push_back(*message);
    pairs += message->slots().size();
    if (pairs > std::numeric_limits<int32_t>::max()) {
      comm_.Abort(LyingRankError(r, absl::StrCat("dispatch: ", pairs, " rows for one rank")));
      return false;
    }
  }
  return true;
}

void HostExchange::EndDispatch(Arena& arena, Dispatched& d) {
  comm_.EndAllToAll(d.channel, arena, &incoming_);
  d.slot_rows.assign(placement_.slots_per_rank(), 0);
  d.from_rank.assign(comm_.size(), 0);
  d.arrival.clear();
  d.x = NewRows(arena, 0);
  if (!ReadArrivals(d, &messages_)) return;
  for (int r = 0; r < comm_.size(); ++r) {
    d.from_rank[r] = static_cast<int32_t>(messages_[r].slots().size());
    for (const uint16_t slot : messages_[r].slots()) ++d.slot_rows[slot];
  }
  const int32_t rows = std::accumulate(d.slot_rows.begin(), d.slot_rows.end(), 0);
  d.x = NewRows(arena, rows);
  d.arrival.resize(rows);
  // A counting sort by slot; within a slot the arrival order stays.
  cursor_.assign(d.slot_rows.size(), 0);
  std::exclusive_scan(d.slot_rows.begin(), d.slot_rows.end(), cursor_.begin(), int64_t{0});
  int32_t arrival = 0;
  for (const DispatchMessage& message : messages_) {
    const uint16_t* slot = message.slots().data();
    for (int64_t row = 0; row < message.rows(); ++row) {
      for (int i = 0; i < message.counts()[row]; ++i) {
        const int64_t at = cursor_[*slot++]++;
        std::memcpy(d.x.data + static_cast<size_t>(at) * row_bytes_, message.row(row), row_bytes_);
        d.arrival[at] = arrival++;
      }
    }
  }
}

void HostExchange::BeginCombine(Arena& arena, Dispatched& d, Tensor y) {
  CHECK_EQ(y.rows, static_cast<int64_t>(d.arrival.size()));
  CHECK(y.rows == 0 || (y.dtype == shape_.act && y.heads == 1 && y.cols == shape_.hidden))
      << y.ShapeString();
  const Tensor send = NewRows(arena, y.rows);
  for (int64_t i = 0; i < y.rows; ++i) CopyRow(y, i, send, d.arrival[i]);
  const std::byte* p = send.data;
  for (int r = 0; r < comm_.size(); ++r) {
    const size_t bytes = static_cast<size_t>(d.from_rank[r]) * row_bytes_;
    outgoing_[r] = ConstBytes(p, bytes);
    if (bytes > 0) p += bytes;
  }
  comm_.BeginAllToAll(d.channel, outgoing_);
}

Tensor HostExchange::EndCombine(Arena& arena, Dispatched& d, const Routing& routing) {
  comm_.EndAllToAll(d.channel, arena, &incoming_);
  CHECK_EQ(routing.expert.size(), d.pair_home.size());
  const Tensor home = NewRows(arena, static_cast<int64_t>(d.pair_home.size()));
  bool ok = comm_.status().ok();
  for (int r = 0; ok && r < comm_.size(); ++r) {
    const size_t expected = static_cast<size_t>(d.to_rank[r]) * row_bytes_;
    if (incoming_[r].size() == expected) continue;
    comm_.Abort(
        LyingRankError(r, absl::StrCat("combine of layer ", d.layer, ": ", incoming_[r].size(),
                                       " bytes for ", d.to_rank[r], " rows of ", row_bytes_)));
    ok = false;
  }
  if (!ok) {
    if (home.rows > 0) std::memset(home.data, 0, home.bytes());
    return home;
  }
  size_t pair = 0;
  for (int r = 0; r < comm_.size(); ++r) {
    const std::byte* row = incoming_[r].data();
    for (int32_t i = 0; i < d.to_rank[r]; ++i, row += row_bytes_) {
      std::memcpy(home.data + static_cast<size_t>(d.pair_home[pair++]) * row_bytes_, row,
                  row_bytes_);
    }
  }
  return home;
}

}  // namespace

std::unique_ptr<ExpertExchange> NewHostExchange(Communicator& comm,
                                                const ExpertPlacement& placement,
                                                const ExchangeShape& shape) {
  CHECK_EQ(placement.ranks(), comm.size());
  CHECK(shape.hidden > 0 && shape.top_k > 0 && placement.slots_per_rank() <= kMaxSlotsPerRank);
  return std::make_unique<HostExchange>(comm, placement, shape);
}

}  // namespace shoal
