#ifndef SHOAL_RUNTIME_WEIGHTS_WEIGHT_STORE_H_
#define SHOAL_RUNTIME_WEIGHTS_WEIGHT_STORE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "runtime/device/device.h"
#include "runtime/weights/tensor_table.h"

namespace shoal {

// What share of a checkpoint a rank reads.
struct WeightShare {
  std::vector<std::vector<int32_t>> experts;  // [MoE layer]: logical ids of its slots
};

// A checkpoint's tensors on a device: owner of the memory, looked up by the checkpoint's names.
// Immutable after Open(); the device must outlive it.
class WeightStore {
 public:
  struct Options {
    std::function<void(int64_t bytes_done, int64_t bytes_total)> progress;  // called from the loading thread
  };
  // Opens a Hugging Face folder (model.safetensors, or model.safetensors.index.json and its shards), checks that its
  // tensors are exactly `table`'s, reads the share's bytes and nothing else of the data, and lays them out.
  // Errors (NOT_FOUND, INVALID_ARGUMENT, DATA_LOSS, RESOURCE_EXHAUSTED) name the file, the tensor and the two values.
  static absl::StatusOr<std::unique_ptr<WeightStore>> Open(const std::string& folder, const TensorTable& table,
                                                           const WeightShare& share, Device& device,
                                                           const Options& options);
  virtual ~WeightStore() = default;

  // CHECK-fails on a name that is not in the table or not of this share: the tables are our own.
  virtual Weight Matrix(std::string_view name) const = 0;
  virtual Tensor Vector(std::string_view name) const = 0;  // [1, n] F32
  virtual Tensor Table(std::string_view name) const = 0;

  // SHA-256 over (name, dtype, shape, SHA-256 of the data) of the WHOLE checkpoint's headers and, where the
  // checkpoint carries digests, its data: equal on every rank of a group although each reads another share.
  virtual const std::string& digest() const = 0;
  virtual int64_t bytes_read() const = 0;  // of tensor data; a test compares it with the share
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_WEIGHTS_WEIGHT_STORE_H_
