#ifndef SHOAL_RUNTIME_WEIGHTS_READ_PLAN_H_
#define SHOAL_RUNTIME_WEIGHTS_READ_PLAN_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/types/span.h"

#include "runtime/weights/checkpoint.h"
#include "runtime/weights/tensor_table.h"

namespace shoal {

struct PlannedRead {
  const TensorSpec* spec;
  const Checkpoint::Entry* entry;
};

// Tensors that follow each other in one shard without a gap: one read.
struct ReadRun {
  int32_t shard = 0;
  uint64_t offset = 0, bytes = 0;
  std::vector<PlannedRead> reads;  // by offset
};

// The fewest runs of at most kMaxRunBytes (a larger tensor is a run of its own), in file order.
// Together they cover the reads' bytes and no other.
inline constexpr uint64_t kMaxRunBytes = uint64_t{16} << 20;
std::vector<ReadRun> CoalesceReads(std::vector<PlannedRead> reads);

// Memory that the largest of some runs fits in, each tensor of it 64-byte aligned.
class StagingBuffer {
 public:
  explicit StagingBuffer(absl::Span<const ReadRun> runs);
  // One span per read of `run`, in order; they replace those of the last call.
  std::vector<absl::Span<std::byte>> Parts(const ReadRun& run);

 private:
  struct Free {
    void operator()(std::byte* p) const;
  };
  std::unique_ptr<std::byte[], Free> memory_;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_WEIGHTS_READ_PLAN_H_
