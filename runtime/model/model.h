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
  // Where not null: becomes [T, hidden] act, the last hidden state of every row of the batch after
  // the final norm, in the arena; what DraftModel takes.  It is made anyway: asking costs nothing.
  Tensor* hidden = nullptr;
};

// A loaded model.  Pure: a pass reads weights and cache, writes the batch's cache lines past the
// committed length, and returns logits; nothing else changes, so a failed pass never happened.
class Model {
 public:
  virtual ~Model() = default;
  // [logit_rows, vocab] F32, in the arena.  Queued; valid after ops.Finish().
  virtual Tensor Forward(Pass& pass, const Batch& batch) const = 0;

  virtual int layers() const = 0;   // of the cache; a draft module's is the last
  virtual int kv_line() const = 0;  // elements of a cache line of one layer
  virtual int vocab() const = 0;
  virtual int max_positions() const = 0;
};

// A module that guesses the token after the next from what the main model has computed.  Pure, as
// Model is; it shares the main model's passes, cache and exchange.
class DraftModel {
 public:
  virtual ~DraftModel() = default;

  // Row t of `batch` is a token t_{i+1} at its own place, position i + 1 >= 1.  Row t of `hidden`
  // ([T, hidden] act) is h_i: what Forward put into Pass::hidden for the token before it.  Returns
  // the logits of t_{i+2} for batch.logit_rows, [logit_rows, vocab] F32, in the arena; valid after
  // ops.Finish().
  //
  // Writes the module's cache line of slot i + 1 (layer Model::layers() - 1) and attends to slots
  // 1..i+1, so a sequence's rows come in order and without a gap, the prompt's included; a slot may
  // be written again, by a row that follows another token.  Collective as Forward: every rank of a
  // group calls it, with zero rows if it has none.
  //
  // To guess further: Pass::hidden becomes the module's own last hidden state (after
  // shared_head.norm) of every row, so the row after (t_{i+1}, h_i) is (the guessed t_{i+2} at
  // position i + 2, that state).  Slots so written hold until the real rows overwrite them.
  virtual Tensor Draft(Pass& pass, const Batch& batch, Tensor hidden) const = 0;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_MODEL_MODEL_H_
