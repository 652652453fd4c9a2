#include "runtime/weights/read_plan.h"

#include <algorithm>
#include <new>
#include <utility>

namespace shoal {
namespace {

constexpr size_t kAlignment = 64;

constexpr size_t Aligned(size_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

size_t StagedBytes(const ReadRun& run) {
  size_t bytes = 0;
  for (const PlannedRead& read : run.reads) bytes += Aligned(read.entry->tensor.bytes);
  return bytes;
}

}  // namespace

std::vector<ReadRun> CoalesceReads(std::vector<PlannedRead> reads) {
  std::sort(reads.begin(), reads.end(), [](const PlannedRead& a, const PlannedRead& b) {
    return std::pair(a.entry->shard, a.entry->tensor.offset) <
           std::pair(b.entry->shard, b.entry->tensor.offset);
  });
  std::vector<ReadRun> runs;
  for (const PlannedRead& read : reads) {
    const StoredTensor& t = read.entry->tensor;
    const bool follows = !runs.empty() && runs.back().shard == read.entry->shard &&
                         runs.back().offset + runs.back().bytes == t.offset &&
                         runs.back().bytes + t.bytes <= kMaxRunBytes;
    if (!follows) runs.push_back({read.entry->shard, t.offset, 0, {}});
    runs.back().bytes += t.bytes;
    runs.back().reads.push_back(read);
  }
  return runs;
}

StagingBuffer::StagingBuffer(absl::Span<const ReadRun> runs) {
  size_t bytes = kAlignment;
  for (const ReadRun& run : runs) bytes = std::max(bytes, StagedBytes(run));
  memory_.reset(static_cast<std::byte*>(::operator new (bytes, std::align_val_t{kAlignment})));
}

void StagingBuffer::Free::operator()(std::byte* p) const {
  ::operator delete (p, std::align_val_t{kAlignment});
}

std::vector<absl::Span<std::byte>> StagingBuffer::Parts(const ReadRun& run) {
  std::vector<absl::Span<std::byte>> parts;
  std::byte* next = memory_.get();
  for (const PlannedRead& read : run.reads) {
    parts.emplace_back(next, read.entry->tensor.bytes);
    next += Aligned(read.entry->tensor.bytes);
  }
  return parts;
}

}  // namespace shoal
