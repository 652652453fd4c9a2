#ifndef SHOAL_RUNTIME_DEVICE_CPU_MATMUL_AMX_H_
#define SHOAL_RUNTIME_DEVICE_CPU_MATMUL_AMX_H_

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "runtime/device/cpu/amx_tiles.h"
#include "runtime/device/cpu/block_product.h"
#include "runtime/device/cpu/lane_math.h"
#include "runtime/device/cpu/matmul.h"
#include "runtime/device/cpu/weight_ahead.h"
#include "runtime/device/cpu/widen_vbmi.h"
#include "runtime/tensor/dtype.h"

namespace shoal::cpu {

// MatMul in the tile unit, bit for bit what MatMulKernel computes.
//
// With few rows memory is the limit: each panel of weights is read once from end to end, as
// one stream, and its results stay in tiles. With more rows the caches' rates are: a block of rows
// by some of K, and the results of some panels for them, stay in the second-level cache, and kGroup
// panels are taken at a time. Two blocks of 16 rows meet them, and their own tiles pass the
// first-level cache by, which keeps weights and results. The weights that come next are asked for
// while the tiles multiply. FP8 is widened by the vector units, and its blocks of 128 are scaled by
// them, while the tile unit is at the next block.
//
// V: vector lanes of AVX-512.
template <class V>
class AmxMatMul {
  static constexpr int64_t kResult = TileGrid<1, 1, false>::kResult;
  static constexpr int64_t kFewRows = 64, kFewRowsBf16 = 32;
  static constexpr int64_t kFewPanels = 8;       // whose results wait while rows are taken K by K
  static constexpr int64_t kFewBytes = 1 << 19;  // of rows, in the second-level cache
  // What the second-level cache keeps. Every block of rows widens FP8 anew, so that its blocks have
  // the more rows, and its widened weights fit the first-level cache; BF16 has the more of K, which
  // spares moves of results.
  struct ManyBlock {
    int64_t rows, panels, chunks;
  };
  static constexpr ManyBlock kManyBf16 = {256, 48, 32}, kManyFp8 = {512, 24, 8};
  static constexpr int64_t kGroup = 3;
  static constexpr int64_t kRowBlock = MatMulTask::kSpanTile;
  static constexpr int64_t kScaleChunks = kScaleBlock / kChunk;
  static constexpr int64_t kAccBytes = kManyFp8.rows * kManyFp8.panels * kPanel * 4;
  static_assert(kManyBf16.rows * kManyBf16.panels * kPanel * 4 == kAccBytes);
  static constexpr int64_t kWideBytes = kGroup * kManyFp8.chunks * kTile * 2;
  static constexpr int64_t kParts = 6, kPartBytes = 2 * kParts * kResult * 4;

 public:
  static constexpr int64_t kScratchBytes = kAccBytes + kWideBytes + kPartBytes;
  static_assert(kScratchBytes <= MatMulBlocking::kScratchBytes);
  static_assert(2 * kScaleChunks <= kGroup * kManyFp8.chunks &&
                kManyFp8.chunks % kScaleChunks == 0);
  static_assert(kFewPanels * kFewRows * kPanel * 4 <= kAccBytes && kManyBf16.chunks % kSpan == 0);

  AmxMatMul(const MatMulTask& task, std::byte* scratch)
      : task_(task),
        fp8_(task.w.data.dtype == DType::kF8E4M3),
        many_(fp8_ ? kManyFp8 : kManyBf16),
        acc_panel_(many_.rows / 16 * kResult),
        w_panel_(task.chunks * kTile),
        acc_(reinterpret_cast<float*>(scratch)),
        wide_(reinterpret_cast<BF16*>(scratch + kAccBytes)),
        part_(reinterpret_cast<float*>(scratch + kAccBytes + kWideBytes)) {
    TileConfig config;
    const auto rows = static_cast<uint8_t>(task.rows < 16 ? task.rows : 16);
    for (int i = 0; i < 8; ++i) config.bytes_per_row[i] = 64, config.rows[i] = i < 6 ? rows : 16;
    TileFence();
    _tile_loadconfig(&config);
  }
  ~AmxMatMul() { _tile_release(); }
  AmxMatMul(const AmxMatMul&) = delete;
  AmxMatMul& operator=(const AmxMatMul&) = delete;

  // Columns 16 * first .. 16 * last - 1.
  void Run(int64_t first, int64_t last) {
    if (task_.rows > (fp8_ ? kFewRows : kFewRowsBf16)) return ManyRows(first, last);
    if (task_.rows <= 16) return Few<1, 4>(first, last);
    if (task_.rows <= 32) return Few<2, 2>(first, last);
    if (task_.rows <= 48) return Few<3, 2>(first, last);
    Few<4, 1>(first, last);
  }

 private:
  // R blocks of 16 rows by N panels by some chunks of K.
  struct Step {
    int64_t row, panel, chunk, chunks;
    float* acc;
    int64_t acc_panel;  // floats between panels' results
  };
  // A product of 128 k that waits to be scaled and added.
  struct Pending {
    float* acc = nullptr;
    const float* part = nullptr;
    int64_t acc_panel = 0;
    float scale[kGroup] = {};
    int rows = 0, tiles = 0, done = 0;  // blocks of rows, results, results added
    bool first = false;
  };

  template <class T>
  const T* WeightTile(int64_t panel, int64_t chunk) const {
    return reinterpret_cast<const T*>(task_.w.data.data) + (panel * task_.chunks + chunk) * kTile;
  }

  template <int R, int N>
  void Few(int64_t first, int64_t last) {
    const int64_t fit = kFewBytes / (R * 16 * kChunk * 2) / kSpan * kSpan;
    for (int64_t p = first; p < last; p += kFewPanels) {
      const int64_t end = p + kFewPanels < last ? p + kFewPanels : last;
      for (int64_t c = 0; c < task_.chunks; c += fit) {
        const int64_t chunks = task_.chunks - c < fit ? task_.chunks - c : fit;
        int64_t q = p;
        const auto step = [&] {
          return Step{0, q, c, chunks, acc_ + (q - p) * R * kResult, R * kResult};
        };
        if (fp8_) {
          for (; q < end; ++q) Stream<R>(step());
        } else {
          for (; q + N <= end; q += N) Plain<R, N, false>(step(), [](int64_t) {});
          for (; q < end; ++q) Plain<R, 1, false>(step(), [](int64_t) {});
        }
      }
      for (int64_t q = p; q < end; ++q) Emit(0, task_.rows, q, acc_ + (q - p) * R * kResult);
    }
  }

  void ManyRows(int64_t first, int64_t last) {
    for (int64_t p = first; p < last; p += many_.panels) {
      const int64_t end = p + many_.panels < last ? p + many_.panels : last;
      for (int64_t row = 0; row < task_.rows; row += many_.rows) {
        const int64_t stop = row + many_.rows < task_.rows ? row + many_.rows : task_.rows;
        for (int64_t c = 0; c < task_.chunks; c += many_.chunks) {
          const int64_t chunks = task_.chunks - c < many_.chunks ? task_.chunks - c : many_.chunks;
          for (int64_t q = p; q < end; q += kGroup) {
            const Step step{row, q, c, chunks, acc_ + (q - p) * acc_panel_, acc_panel_};
            OpenAhead(step, stop, p, end);
            if (q + 3 <= end) {
              Panels<3>(step, stop);
            } else {
              q + 2 == end ? Panels<2>(step, stop) : Panels<1>(step, stop);
            }
          }
        }
        EmitBlock(row, stop, p, end);
      }
    }
  }

  // N panels by all rows of the block.
  template <int N>
  void Panels(Step step, int64_t stop) {
    if (fp8_) {
      for (int n = 0; n < N; ++n) {
        WidenVbmi::Run(WeightTile<uint8_t>(step.panel + n, step.chunk), step.chunks,
                       wide_ + n * many_.chunks * kTile);
      }
    }
    for (; step.row + 16 < stop; step.row += 32, step.acc += 2 * kResult) Rows<2, N>(step);
    if (step.row < stop) Rows<1, N>(step);
    Settle();
  }

  template <int R, int N>
  void Rows(const Step& step) {
    if (fp8_) {
      Scaled<R, N>(step);
    } else {
      Plain<R, N, true>(step, [&](int64_t) { ahead_.Step(); });
    }
  }

  template <int R, int N, bool kPast, class Hook>
  void Plain(const Step& step, Hook hook) {
    using Grid = TileGrid<R, N, kPast>;
    const BF16* w = WeightTile<BF16>(step.panel, step.chunk);
    typename Grid::Operands o{nullptr, kRowBlock, w, w_panel_, step.acc, step.acc_panel};
    TileFence();
    if (step.chunk == 0) Grid::Zero();
    for (int64_t c = 0; c < step.chunks; ++c, o.w += kTile) {
      if (c % kSpan == 0) o.a = task_.RowTile(step.row, step.chunk + c);
      const bool open = c == 0 && step.chunk > 0, close = c + 1 == step.chunks;
      if (close) {
        open ? Grid::template Multiply<true, true>(o) : Grid::template Multiply<false, true>(o);
      } else {
        open ? Grid::template Multiply<true, false>(o) : Grid::template Multiply<false, false>(o);
      }
      hook(c);
      o.a += 16 * kChunk;
    }
    TileFence();
  }

  template <int R, int N>
  void Scaled(const Step& step) {
    for (int64_t c = 0; c < step.chunks; c += kScaleChunks) {
      ScaleBlock<R, N, true>(step, c, wide_ + c * kTile, many_.chunks * kTile,
                             [&](int64_t) { ahead_.Step(); });
    }
  }

  // One panel in FP8 by R blocks of rows, the weights of the next 128 k widened meanwhile.
  template <int R>
  void Stream(const Step& step) {
    const auto* codes = WeightTile<uint8_t>(step.panel, step.chunk);
    const auto widen = [&](int64_t c, int64_t n) {
      if (c < step.chunks)
        WidenVbmi::Run(codes + c * kTile, n, wide_ + c % (2 * kScaleChunks) * kTile);
    };
    widen(0, step.chunks < kScaleChunks ? step.chunks : kScaleChunks);
    for (int64_t c = 0; c < step.chunks; c += kScaleChunks) {
      ScaleBlock<R, 1, false>(step, c, wide_ + c % (2 * kScaleChunks) * kTile, 0,
                              [&](int64_t i) { widen(c + i + kScaleChunks, 1); });
    }
    Settle();
  }

  // Rule N3 for one block of 128 k: the product from +0; the one before is scaled meanwhile.
  template <int R, int N, bool kPast, class Hook>
  void ScaleBlock(const Step& step, int64_t c, const BF16* w, int64_t w_panel, Hook hook) {
    using Grid = TileGrid<R, N, kPast>;
    float* part = part_ + (flip_ ? kParts * kResult : 0);
    typename Grid::Operands o{
        task_.RowTile(step.row, step.chunk + c), kRowBlock, w, w_panel, part, R * kResult};
    const int64_t n = step.chunks - c < kScaleChunks ? step.chunks - c : kScaleChunks;
    Grid::Zero();
    for (int64_t i = 0; i < n; ++i, o.a += 16 * kChunk, o.w += kTile) {
      TileFence();
      i + 1 < n ? Grid::template Multiply<false, false>(o)
                : Grid::template Multiply<false, true>(o);
      TileFence();
      for (int k = 0; k < (R * N + 3) / 4 && pending_.done < pending_.tiles; ++k) AddPending();
      hook(i);
    }
    Settle();
    flip_ = !flip_;
    pending_ = {step.acc, part, step.acc_panel, {}, R, R * N, 0, step.chunk + c == 0};
    for (int i = 0; i < N; ++i) pending_.scale[i] = ScaleOf(step.panel + i, step.chunk + c);
  }

  void AddPending() {
    const int t = pending_.done++;
    float* acc =
        pending_.acc + t / pending_.rows * pending_.acc_panel + t % pending_.rows * kResult;
    const float* part = pending_.part + t * kResult;
    const auto scale = V::Set(pending_.scale[t / pending_.rows]);
    const int64_t end = task_.rows < 16 ? task_.rows * kPanel : kResult;
    if (pending_.first) {
      for (int64_t i = 0; i < end; i += kPanel)
        V::Store(acc + i, V::Fma(V::Load(part + i), scale, V::Zero()));
    } else {
      for (int64_t i = 0; i < end; i += kPanel)
        V::Store(acc + i, V::Fma(V::Load(part + i), scale, V::Load(acc + i)));
    }
  }
  void Settle() {
    while (pending_.done < pending_.tiles) AddPending();
  }

  float ScaleOf(int64_t panel, int64_t chunk) const {
    const auto* scale = reinterpret_cast<const float*>(task_.w.scale.data);
    return scale[panel * kPanel / kScaleBlock * task_.w.scale.row_stride + chunk / kScaleChunks];
  }

  // The weights of the step after `step`, in shares for each chunk of the rows until `stop`.
  void OpenAhead(const Step& step, int64_t stop, int64_t first, int64_t end) {
    const int64_t tile = fp8_ ? kTile : 2 * kTile;  // bytes
    int64_t panel = step.panel + kGroup, chunk = step.chunk;
    if (panel >= end) panel = first, chunk += many_.chunks;
    if (chunk >= task_.chunks) panel = end, chunk = 0;
    ahead_.Open(task_.w.data.data + (panel * task_.chunks + chunk) * tile, kGroup,
                task_.chunks * tile, many_.chunks * tile,
                CeilDiv(stop - step.row, 32) * many_.chunks);
  }

  // The results of rows row .. stop - 1 and panels first .. last - 1, one row after the other: the
  // output is written in runs as long as can be.
  void EmitBlock(int64_t row, int64_t stop, int64_t first, int64_t last) {
    for (int64_t r = row; r < stop; ++r) {
      for (int64_t p = first; p < last; ++p)
        Emit(r, 1, p, acc_ + (p - first) * acc_panel_ + (r - row) * kPanel);
    }
  }

  // `rows` results of one panel, in blocks of 16, to the output in its dtype.
  void Emit(int64_t row, int64_t rows, int64_t panel, const float* acc) {
    const int64_t begin = panel * kPanel, left = task_.out.cols - begin;
    const int n = static_cast<int>(left < kPanel ? left : kPanel);
    const int64_t at = row * task_.out.row_stride + begin;
    const auto store = [&](auto* out) {
      for (int64_t r = 0; r < rows; ++r, out += task_.out.row_stride)
        StoreUpTo<V>(out, V::Load(acc + r * kPanel), n);
    };
    if (task_.out.dtype == DType::kF32) {
      store(reinterpret_cast<float*>(task_.out.data) + at);
    } else {
      store(reinterpret_cast<BF16*>(task_.out.data) + at);
    }
  }

  const MatMulTask& task_;
  const bool fp8_;
  const ManyBlock many_;
  const int64_t acc_panel_;  // floats
  const int64_t w_panel_;    // elements
  float* const acc_;         // results
  BF16* const wide_;         // widened weights
  float* const part_;        // [2][kParts] products of 128 k
  bool flip_ = false;        // which of the two is the last
  Pending pending_;
  WeightAhead ahead_;
};

}  // namespace shoal::cpu

#endif  // SHOAL_RUNTIME_DEVICE_CPU_MATMUL_AMX_H_
