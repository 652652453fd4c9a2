#ifndef SHOAL_RUNTIME_TENSOR_ARENA_H_
#define SHOAL_RUNTIME_TENSOR_ARENA_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "runtime/tensor/tensor.h"

namespace shoal {

// Bump allocator for one pass's activations.  The same requests in the same order get the same
// addresses in every pass (CUDA graphs need that).  Blocks are 64-byte aligned and NOT zeroed.
// Grows by whole chunks when a pass needs more than any before it; never gives memory back before
// it dies. Thread-compatible: one engine thread owns it.
class Arena {
 public:
  // Where chunks come from; a device supplies its own memory.
  class Source {
   public:
    virtual ~Source() = default;
    virtual std::byte* AllocateChunk(
        size_t bytes) = 0;  // 64-byte aligned; dies (CHECK) when out of memory
    virtual void FreeChunk(std::byte* p, size_t bytes) = 0;
  };

  explicit Arena(Source& source, size_t chunk_bytes = size_t{8} << 20);
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  Tensor New(DType dtype, int64_t rows, int64_t cols);
  std::byte* NewBytes(size_t bytes);
  void Reset();  // every tensor made since the last Reset() is dead

  size_t high_water_bytes() const { return high_water_; }

 private:
  struct Chunk {
    std::byte* data;
    size_t bytes;
  };
  Source& source_;
  const size_t chunk_bytes_;
  std::vector<Chunk> chunks_;
  size_t chunk_ = 0;       // the one that is being filled
  size_t used_ = 0;        // bytes of it
  size_t pass_bytes_ = 0;  // since Reset()
  size_t high_water_ = 0;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_TENSOR_ARENA_H_
