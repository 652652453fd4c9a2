#ifndef SHOAL_RUNTIME_KV_KV_CACHE_H_
#define SHOAL_RUNTIME_KV_KV_CACHE_H_

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"

#include "runtime/device/device.h"
#include "runtime/kv/block_pool.h"
#include "runtime/tensor/tensor.h"

namespace shoal {

// The memory of every sequence's attention: one line per layer and position, in
// blocks of kKvBlock positions, and the pool that says whose they are. A block
// has the same number in every layer.
// Thread-compatible: the engine thread owns it. The device must outlive it.
class KvCache {
 public:
  struct Shape {
    int layers = 0;
    int line = 0;  // elements of one layer's line
    DType dtype = DType::kBF16;
    int64_t blocks = 0;

    size_t bytes() const {
      return static_cast<size_t>(layers) * blocks * kKvBlock * line * SizeOf(dtype);
    }
  };

  // INVALID_ARGUMENT names the member that is not positive; RESOURCE_EXHAUSTED
  // is the device's.
  static absl::StatusOr<std::unique_ptr<KvCache>> Create(Device& device, const Shape& shape);

  BlockPool& pool() { return pool_; }

  // [layers * blocks * kKvBlock, line]: layer l begins at l * lines_per_layer().
  Tensor lines() const;
  int64_t lines_per_layer() const { return shape_.blocks * kKvBlock; }

 private:
  KvCache(const Shape& shape, Buffer memory);

  const Shape shape_;
  Buffer memory_;
  BlockPool pool_;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_KV_KV_CACHE_H_
