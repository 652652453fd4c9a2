#ifndef SHOAL_RUNTIME_DEVICE_CPU_ATTENTION_KERNEL_H_
#define SHOAL_RUNTIME_DEVICE_CPU_ATTENTION_KERNEL_H_

#include <cstddef>
#include <cstdint>

#include "runtime/device/cpu/attention.h"
#include "runtime/device/cpu/block_product.h"
#include "runtime/device/cpu/lane_math.h"
#include "runtime/device/ops.h"
#include "runtime/tensor/dtype.h"

namespace shoal::cpu {

// MlaAttend over tiles of 64 positions, left to right (rules N5, N6), heads in the lanes of scores
// and softmax:
//
//   1. s[j][h] = scale * (line_j . q_h), for the n columns of the tile that the row may see, by
//   rule N1
//   2. m' = max(m, max_j s);  a = exp(m - m')
//   3. p[h][j] = bf16(exp(s - m'));  l = fma(l, a, sum_j p)
//   4. o = a o + p c, by rule N1 started from a o
//
// and at the end out = bf16(o (1 / l)). Rows of one sequence share the packed tile; each sees its
// own n columns, the others are neither read into a product nor multiplied.
template <class V, class P>
class AttendKernel {
 public:
  AttendKernel(const AttendTask& task, std::byte* scratch)
      : task_(task),
        at_(task),
        rank_(task.q_latent.cols),
        width_(task.q_latent.cols + task.q_rope.cols),
        lanes_(at_.panels * kPanel),
        scratch_(scratch) {}

  void Run() {
    for (int64_t r = 0; r < task_.rows; ++r) PackQueries(r);
    const int64_t last = Position(task_.rows - 1) / kKvBlock;
    for (int64_t tile = 0; tile <= last; ++tile) {
      OpenTile(tile);
      for (int64_t r = 0; r < task_.rows; ++r) {
        const int64_t left = Position(r) + 1 - tile * kKvBlock;
        const int64_t end = left < kKvBlock ? left : kKvBlock;
        if (left > 0) Tile(r, tile, static_cast<int>(end - Skipped(tile)));
      }
    }
    for (int64_t r = 0; r < task_.rows; ++r) Finish(r);
  }

 private:
  template <class T>
  T* At(int64_t bytes) const {
    return reinterpret_cast<T*>(scratch_ + bytes);
  }
  int64_t Position(int64_t r) const { return task_.places[task_.first_row + r].position; }
  static const BF16* Head(const Tensor& x, int64_t row, int64_t head) {
    return reinterpret_cast<const BF16*>(x.data) + row * x.row_stride + head * x.head_stride;
  }
  BF16* Queries(int64_t r) const {
    return At<BF16>(at_.query) + r * at_.panels * at_.chunks * kTile;
  }
  float* Sums(int64_t r) const { return At<float>(at_.sum) + r * lanes_ * at_.rank_row; }

  // [q_latent | q_rope] of 16 heads at a time becomes a panel: heads are its columns.
  void PackQueries(int64_t r) {
    const int64_t row = task_.first_row + r, words = at_.chunks * kChunk / 2;
    BF16* line = At<BF16>(at_.line);
    for (int64_t panel = 0; panel < at_.panels; ++panel) {
      __builtin_memset(static_cast<void*>(line), 0, static_cast<size_t>(kPanel * words * 4));
      const int64_t first = panel * kPanel;
      const int64_t n = task_.heads - first < kPanel ? task_.heads - first : kPanel;
      for (int64_t h = 0; h < n; ++h) {
        BF16* to = line + h * words * 2;
        const int64_t head = task_.first_head + first + h;
        __builtin_memcpy(to, Head(task_.q_latent, row, head), static_cast<size_t>(rank_ * 2));
        __builtin_memcpy(to + rank_, Head(task_.q_rope, row, head),
                         static_cast<size_t>((width_ - rank_) * 2));
      }
      auto* packed = reinterpret_cast<uint32_t*>(Queries(r) + panel * at_.chunks * kTile);
      for (int64_t w = 0; w < words; w += 16) {
        V::Transpose(reinterpret_cast<const uint32_t*>(line) + w, words, packed + w * 16, 16);
      }
    }
    float* most = At<float>(at_.most) + r * lanes_;
    float* total = At<float>(at_.total) + r * lanes_;
    for (int64_t i = 0; i < lanes_; i += 16) {
      V::Store(most + i, V::Set(-__builtin_inff()));
      V::Store(total + i, V::Zero());
    }
  }

  // How many positions of the tile stand before the layer's first: it begins behind them.
  int64_t Skipped(int64_t tile) const { return tile == 0 ? task_.first_position : 0; }

  // Nothing of the tile's values is packed yet, and all packed ones are zero.
  void OpenTile(int64_t tile) {
    const int64_t line = int64_t{task_.blocks[tile]} * kKvBlock + Skipped(tile);
    lines_ = reinterpret_cast<const BF16*>(task_.lines.data) + line * task_.lines.row_stride;
    packed_ = 0;
    keys_packed_ = 0;
  }

  const BF16* Line(int64_t j) const { return lines_ + j * task_.lines.row_stride; }

  void Tile(int64_t r, int64_t tile, int n) {
    PackValues(n);
    Scores(r, n);
    for (int64_t panel = 0; panel < at_.panels; ++panel) Softmax(r, panel, tile, n);
    Block b;
    b.a = At<BF16>(at_.p), b.a_row = kKvBlock, b.a_chunk = kChunk, b.a_block = kPanel * kKvBlock;
    b.rows = task_.heads;
    b.w = At<BF16>(at_.values), b.w_panel = 2 * kTile;
    b.panels = static_cast<int>((rank_ + kPanel - 1) / kPanel);
    b.chunks = (n + kChunk - 1) / kChunk;
    b.out = Sums(r), b.out_row = at_.rank_row;
    b.accumulate = tile > 0;
    product_.Run(b);
  }

  // Values are the lines' latent part with positions in pairs: panels of 16 latent columns, two
  // tiles each. Packs up to line n - 1 what is not packed yet, zeros up to the next chunk.
  void PackValues(int n) {
    if (n == packed_) return;
    BF16 zero[kPanel] = {}, low[kPanel], high[kPanel];
    BF16* values = At<BF16>(at_.values);
    const int end = (n + kChunk - 1) / kChunk * kChunk;
    for (int j = packed_ / 2 * 2; j < end; j += 2) {
      for (int64_t c = 0; c < rank_; c += kPanel) {
        const int left = static_cast<int>(rank_ - c < kPanel ? rank_ - c : kPanel);
        const BF16* a = j < n ? Columns(Line(j) + c, left, low) : zero;
        const BF16* b = j + 1 < n ? Columns(Line(j + 1) + c, left, high) : zero;
        V::Interleave(
            a, b,
            values + c / kPanel * 2 * kTile + j / kChunk * kTile + j % kChunk / 2 * 2 * kPanel);
      }
    }
    packed_ = n;
  }
  // 16 columns at p, or a copy of the `left` that there are, padded with zeros.
  static const BF16* Columns(const BF16* p, int left, BF16* copy) {
    if (left == kPanel) return p;
    for (int i = 0; i < kPanel; ++i) copy[i] = i < left ? p[i] : BF16{};
    return copy;
  }

  void Scores(int64_t r, int n) {
    Block b;
    b.rows = n;
    b.w = Queries(r), b.w_panel = at_.chunks * kTile;
    b.panels = static_cast<int>(at_.panels), b.chunks = static_cast<int>(at_.chunks);
    b.out = At<float>(at_.scores), b.out_row = lanes_;
    if (width_ % kChunk == 0) {
      b.a = lines_, b.a_row = task_.lines.row_stride, b.a_chunk = kChunk, b.a_block = 16 * b.a_row;
    } else {  // what follows a line in memory is another line: a padded copy instead
      for (; keys_packed_ < n; ++keys_packed_) {
        BF16* to = At<BF16>(at_.keys) + keys_packed_ * at_.chunks * kChunk;
        __builtin_memcpy(to, Line(keys_packed_), static_cast<size_t>(width_ * 2));
        __builtin_memset(static_cast<void*>(to + width_), 0,
                         static_cast<size_t>((at_.chunks * kChunk - width_) * 2));
      }
      b.a = At<BF16>(at_.keys), b.a_row = at_.chunks * kChunk, b.a_chunk = kChunk,
      b.a_block = 16 * b.a_row;
    }
    product_.Run(b);
  }

  // Steps 2 and 3 for 16 heads, and the rescaling of their sums.
  void Softmax(int64_t r, int64_t panel, int64_t tile, int n) {
    using F = typename V::F;
    float* scores = At<float>(at_.scores) + panel * kPanel;
    float* most = At<float>(at_.most) + r * lanes_ + panel * kPanel;
    float* total = At<float>(at_.total) + r * lanes_ + panel * kPanel;
    const F scale = V::Set(task_.scale), before = V::Load(most);
    F now = before;
    for (int j = 0; j < n; ++j) {
      const F s = V::Mul(V::Load(scores + j * lanes_), scale);
      V::Store(scores + j * lanes_, s);
      now = V::Max(s, now);
    }
    BF16* columns = At<BF16>(at_.p_columns);  // [64][16 heads]
    F part[16];
    for (int i = 0; i < 16; ++i) part[i] = V::Zero();
    for (int j = 0; j < n; ++j) {
      V::Store(columns + j * kPanel, Exp<V>(V::Sub(V::Load(scores + j * lanes_), now)));
      part[j % 16] = V::Add(part[j % 16], V::Load(columns + j * kPanel));
    }
    for (int width = 8; width > 0; width /= 2) {
      for (int i = 0; i < width; ++i) part[i] = V::Add(part[i], part[i + width]);
    }
    const F alpha = Exp<V>(V::Sub(before, now));
    V::Store(most, now);
    V::Store(total, V::Fma(V::Load(total), alpha, part[0]));
    if (tile > 0) Rescale(r, panel, alpha);
    TransposeP(panel, n);
  }

  void Rescale(int64_t r, int64_t panel, typename V::F alpha) {
    float factor[kPanel];
    V::Store(factor, alpha);
    for (int h = 0; h < kPanel && panel * kPanel + h < task_.heads; ++h) {
      if (factor[h] == 1) continue;  // the bits would stay
      float* sum = Sums(r) + (panel * kPanel + h) * at_.rank_row;
      const auto a = V::Set(factor[h]);
      for (int64_t c = 0; c < rank_; c += 16) V::Store(sum + c, V::Mul(V::Load(sum + c), a));
    }
  }

  // p from [position][head] to [head][position], zeros from n to the chunk's end.
  void TransposeP(int64_t panel, int n) {
    BF16* columns = At<BF16>(at_.p_columns);
    BF16* pairs = columns + kKvBlock * kPanel;  // [16 pairs of positions][16 heads][2]
    const int end = (n + kChunk - 1) / kChunk * kChunk;
    for (int j = n; j < end; ++j) V::Store(columns + j * kPanel, V::Zero());
    auto* out = reinterpret_cast<uint32_t*>(At<BF16>(at_.p) + panel * kPanel * kKvBlock);
    for (int chunk = 0; chunk < end; chunk += kChunk) {
      for (int j = 0; j < kChunk; j += 2) {
        const BF16* from = columns + (chunk + j) * kPanel;
        V::Interleave(from, from + kPanel, pairs + j * kPanel);
      }
      V::Transpose(reinterpret_cast<const uint32_t*>(pairs), 16, out + chunk / 2, kKvBlock / 2);
    }
  }

  void Finish(int64_t r) {
    float inverse[kPanel];
    for (int64_t h = 0; h < task_.heads; ++h) {
      if (h % kPanel == 0) {
        V::Store(inverse, V::Div(V::Set(1), V::Load(At<float>(at_.total) + r * lanes_ + h)));
      }
      const float* sum = Sums(r) + h * at_.rank_row;
      const auto factor = V::Set(inverse[h % kPanel]);
      const Tensor& out = task_.out;
      BF16* to = reinterpret_cast<BF16*>(out.data) + (task_.first_row + r) * out.row_stride +
                 (task_.first_head + h) * out.head_stride;
      ForLanes<V>(rank_, [=](int64_t c, int n) {
        StoreUpTo<V>(to + c, V::Mul(V::Load(sum + c), factor), n);
      });
    }
  }

  const AttendTask& task_;
  const AttendScratch at_;
  const int64_t rank_, width_;
  const int64_t lanes_;  // heads, rounded up to panels
  std::byte* const scratch_;
  const BF16* lines_ = nullptr;  // of the open tile
  int packed_ = 0;               // its lines that `values` holds
  int keys_packed_ = 0;          // its lines that `keys` holds
  P product_;
};

}  // namespace shoal::cpu

#endif  // SHOAL_RUNTIME_DEVICE_CPU_ATTENTION_KERNEL_H_
