#ifndef SHOAL_RUNTIME_MODEL_MODEL_H_
#define SHOAL_RUNTIME_MODEL_MODEL_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"

#include "runtime/device/ops.h"
#include "runtime/moe/exchange.h"
#include "runtime/tensor/arena.h"

namespace shoal {

// What one rank brings to one pass.  Zero rows is the empty batch: the rank still joins every
// exchange. Rows of one sequence are adjacent and ascend in position.
struct Batch {
  absl::Span<const TokenId> ids;                             // [T]
  absl::Span<const RowPlace> places;                         // [T]
  absl::Span<const absl::Span<const int32_t>> block_tables;  // one per sequence
  absl::Span<const int32_t> logit_rows;  // rows whose logits are wanted, ascending
  int64_t rows() const { return static_cast<int64_t>(ids.size()); }
};

// Told what a pass did, for metrics; a null observer costs nothing.
class PassObserver {
 public:
  enum class Phase : uint8_t { kAttend, kDispatch, kExperts, kCombine, kHead };
  virtual ~PassObserver() = default;
  virtual void OnPhase(
      Phase phase) = 0;  // the phase that begins now; the last one ends with the pass
  // rows per local slot of one MoE layer.
  virtual void OnExperts(int layer, absl::Span<const int32_t> slot_rows) = 0;
};

// The surroundings of one forward pass: borrowed, nothing owned.
struct Pass {
  Ops& ops;
  Arena& arena;
  ExpertExchange* exchange = nullptr;  // null for a dense model
  Tensor kv_lines;  // [layers * blocks * kKvBlock, line]: layer l begins at l * blocks * kKvBlock
  int64_t kv_lines_per_layer = 0;
  PassObserver* observer = nullptr;
};

// A loaded model.  Pure: a pass reads weights and cache, writes the batch's cache lines past the
// committed length, and returns logits; nothing else changes, so a failed pass never happened.
class Model {
 public:
  virtual ~Model() = default;
  // [logit_rows, vocab] F32, in the arena.  Queued; valid after ops.Finish().
  virtual Tensor Forward(Pass& pass, const Batch& batch) const = 0;

  virtual int layers() const = 0;
  virtual int kv_line() const = 0;  // elements of a cache line of one layer
  virtual int vocab() const = 0;
  virtual int max_positions() const = 0;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_MODEL_MODEL_H_
