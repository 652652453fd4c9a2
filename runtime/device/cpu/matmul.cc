#include "runtime/device/cpu/matmul.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "runtime/base/check.h"
#include "runtime/tensor/dtype.h"
#include "runtime/tensor/tensor.h"

namespace shoal::cpu {
namespace {

BF16 Convert(float x) { return BF16::FromFloat(x); }
BF16 Convert(BF16 x) { return x; }
F8E4M3 Convert(F8E4M3 x) { return x; }

// Tile by tile in the order of the packed form: 16 streams are read, one is written.
template <typename From, typename To>
void Pack(const Tensor& host, To* packed) {
  const int64_t pairs = CeilDiv(host.cols, kChunk) * kChunk / 2;
  for (int64_t panel = 0; panel < host.rows; panel += kPanel) {
    const From* row[kPanel];
    const int64_t columns = std::min<int64_t>(kPanel, host.rows - panel);
    for (int64_t c = 0; c < columns; ++c) row[c] = host.At<From>(panel + c);
    for (int64_t k = 0; k < 2 * pairs; k += 2, packed += 2 * kPanel) {
      for (int64_t c = 0; c < kPanel; ++c) {
        packed[2 * c] = c < columns && k < host.cols ? Convert(row[c][k]) : To{};
        packed[2 * c + 1] = c < columns && k + 1 < host.cols ? Convert(row[c][k + 1]) : To{};
      }
    }
  }
}

}  // namespace

void PackWeight(const Tensor& host, std::byte* packed) {
  switch (host.dtype) {
    case DType::kF32:
      return Pack<float>(host, reinterpret_cast<BF16*>(packed));
    case DType::kBF16:
      return Pack<BF16>(host, reinterpret_cast<BF16*>(packed));
    case DType::kF8E4M3:
      return Pack<F8E4M3>(host, reinterpret_cast<F8E4M3*>(packed));
    default:
      CHECK(false) << "a weight of " << host.ShapeString();
  }
}

void PackRowBlock(const Tensor& x, int64_t block, BF16* packed) {
  const MatMulTask task{.x = packed, .rows = x.rows, .chunks = CeilDiv(x.cols, kChunk)};
  const int64_t end = std::min<int64_t>(16, x.rows - block * 16), whole = x.cols / kChunk;
  for (int64_t c = 0; c < task.chunks; ++c) {
    BF16* to = packed + (task.RowTile(block * 16, c) - packed);
    const auto bytes = static_cast<size_t>(c < whole ? kChunk : x.cols % kChunk) * sizeof(BF16);
    for (int64_t r = 0; r < end; ++r) {
      BF16* row = to + r * kChunk;
      if (c == whole) std::memset(static_cast<void*>(row), 0, kChunk * sizeof(BF16));
      std::memcpy(row, x.At<BF16>(block * 16 + r) + c * kChunk, bytes);
    }
  }
}

}  // namespace shoal::cpu
