#include "runtime/tensor/arena.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "runtime/base/check.h"
#include "runtime/tensor/dtype.h"
#include "runtime/tensor/tensor.h"

namespace shoal {
namespace {

constexpr size_t kAlignment = 64;

size_t RoundUp(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

}  // namespace

Arena::Arena(Source& source, size_t chunk_bytes)
    : source_(source), chunk_bytes_(RoundUp(chunk_bytes)) {}

Arena::~Arena() {
  for (const Chunk& c : chunks_) source_.FreeChunk(c.data, c.bytes);
}

Tensor Arena::New(DType dtype, int64_t rows, int64_t cols) {
  CHECK_GE(rows, 0);
  CHECK_GE(cols, 0);
  const size_t bytes = static_cast<size_t>(rows * cols) * SizeOf(dtype);
  return Tensor::Of(NewBytes(bytes), dtype, rows, cols);
}

std::byte* Arena::NewBytes(size_t bytes) {
  // No bytes still take a block, so that every tensor has an address.
  bytes = RoundUp(std::max<size_t>(bytes, 1));
  while (chunk_ < chunks_.size() && used_ + bytes > chunks_[chunk_].bytes) {
    ++chunk_;
    used_ = 0;
  }
  if (chunk_ == chunks_.size()) {
    const size_t chunk = std::max(bytes, chunk_bytes_);
    chunks_.push_back({source_.AllocateChunk(chunk), chunk});
  }
  std::byte* p = chunks_[chunk_].data + used_;
  used_ += bytes;
  pass_bytes_ += bytes;
  high_water_ = std::max(high_water_, pass_bytes_);
  return p;
}

void Arena::Reset() { chunk_ = used_ = pass_bytes_ = 0; }

}  // namespace shoal
