#ifndef SHOAL_RUNTIME_WEIGHTS_WEIGHT_STORE_H_
#define SHOAL_RUNTIME_WEIGHTS_WEIGHT_STORE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "runtime/device/device.h"
#include "runtime/tensor/tensor.h"
#include "runtime/weights/tensor_table.h"

namespace shoal {

// What share of a checkpoint a rank reads.
struct WeightShare {
  std::vector<std::vector<int32_t>> experts;  // [MoE layer]: logical ids of its slots
};

// The two halves of a kAbsorbed tensor, head by head; valid as long as the store.
struct AbsorbedHeads {
  absl::Span<const Weight> uk;  // [heads] of [in, nope]
  absl::Span<const Weight> uv;  // [heads] of [v, in]
};

// A checkpoint's tensors on a device: owner of the memory, looked up by the checkpoint's names.
// Immutable after Open(); the device must outlive it.
class WeightStore {
 public:
  struct Options {
    // Called from the loading thread after every run of bytes; false ends the load with CANCELLED.
    std::function<bool(int64_t bytes_done, int64_t bytes_total)> progress;
  };
  // Opens a Hugging Face folder (checkpoint.h), checks that its tensors are exactly `table`'s,
  // reads the share's bytes and nothing else of the data, and lays them out.  Where the checkpoint
  // carries digests, what is read is checked against them (DATA_LOSS). Errors (NOT_FOUND,
  // INVALID_ARGUMENT, DATA_LOSS, RESOURCE_EXHAUSTED) name the file, the tensor and the two values.
  static absl::StatusOr<std::unique_ptr<WeightStore>> Open(const std::string& folder,
                                                           const TensorTable& table,
                                                           const WeightShare& share, Device& device,
                                                           const Options& options);
  virtual ~WeightStore() = default;

  // CHECK-fails on a name that is not in the table or not of this share: the tables are our own.
  virtual Weight Matrix(absl::string_view name) const = 0;
  virtual AbsorbedHeads Absorbed(absl::string_view name) const = 0;
  virtual Tensor Vector(
      absl::string_view name) const = 0;  // [rows, n] F32; rows is 1 where the shape is [n]
  virtual Tensor Table(absl::string_view name) const = 0;

  // SHA-256 over (name, dtype, shape, SHA-256 of the data) of every tensor, by name: equal on every
  // rank of a group although each reads another share, and independent of how tensors lie in
  // shards.  The data's part is there for tensors that every rank reads and, in a checkpoint with
  // digests.json, for all.  Equal digests prove: with digests.json, that the ranks of a group
  // together read the same checkpoint, whole (each checked its share); without, the same layout and
  // the same replicated weights, but nothing about routed experts.
  virtual const std::string& digest() const = 0;
  virtual bool digest_covers_experts() const = 0;
  virtual int64_t bytes_read() const = 0;  // of tensor data; a test compares it with the share
};

// True when a rank with this share reads the tensor's bytes.
bool InShare(const TensorSpec& spec, const WeightShare& share);

}  // namespace shoal

#endif  // SHOAL_RUNTIME_WEIGHTS_WEIGHT_STORE_H_
