#ifndef SHOAL_RUNTIME_DEVICE_CPU_ATTENTION_SOFTMAX_H_
#define SHOAL_RUNTIME_DEVICE_CPU_ATTENTION_SOFTMAX_H_

#include <cstdint>

#include "runtime/device/cpu/block_product.h"
#include "runtime/device/cpu/lane_math.h"
#include "runtime/device/ops.h"
#include "runtime/tensor/dtype.h"

namespace shoal::cpu {

// The scores of one panel of heads in one tile of positions, and where their softmax goes.
struct SoftmaxTask {
  const float* scores = nullptr;  // [64][scores_row]: this panel's 16 heads of each position
  int64_t scores_row = 0;
  int n = 0;  // positions that the row may see
  float scale = 0;
  float* most = nullptr;   // [16]: m, before and after
  float* total = nullptr;  // [16]: l, before and after
  float* alpha = nullptr;  // [16]: a
  BF16* p = nullptr;       // [2][16 heads][32 positions], zeros from n to the chunk's end
};

// Steps 2 and 3 of README.md's attention, heads in the lanes, in kSteps parts of about the same
// length, so that they can run between the steps of a product.
template <class V>
class PanelSoftmax {
  using F = typename V::F;
  static constexpr int kPositions = 4;  // of one step

 public:
  static constexpr int kSteps = kKvBlock / kPositions + 2;

  // columns: [64][16], then one tile of pairs; working memory.
  explicit PanelSoftmax(BF16* columns) : columns_(columns) {}

  void Step(const SoftmaxTask& task, int step) {
    if (step == 0) {
      Open(task);
    } else if (step <= kKvBlock / kPositions) {
      const int begin = (step - 1) * kPositions, end = begin + kPositions;
      if (end <= task.n) {
        Positions<kPositions>(task, begin);
      } else {
        for (int j = begin; j < task.n; ++j) Positions<1>(task, j);
      }
    } else {
      Close(task);
    }
  }

 private:
  void Open(const SoftmaxTask& task) {
    constexpr int kChains = 4;
    const F scale = V::Set(task.scale);
    before_ = V::Load(task.most);
    F most[kChains] = {before_, before_, before_, before_};
    const float* scores = task.scores;
    int j = 0;
    for (; j + kChains <= task.n; j += kChains) {
      for (int i = 0; i < kChains; ++i, scores += task.scores_row)
        most[i] = V::Max(V::Mul(V::Load(scores), scale), most[i]);
    }
    for (; j < task.n; ++j, scores += task.scores_row)
      most[0] = V::Max(V::Mul(V::Load(scores), scale), most[0]);
    now_ = V::Max(V::Max(most[0], most[1]), V::Max(most[2], most[3]));
    for (int i = task.n; i < 16; ++i) part_[i] = V::Zero();
  }

  // Positions [begin, begin + N).
  template <int N>
  void Positions(const SoftmaxTask& task, int begin) {
    const F scale = V::Set(task.scale), now = now_;
    const float* scores = task.scores + begin * task.scores_row;
    BF16* p = columns_ + begin * kPanel;
    F x[N];
    for (int i = 0; i < N; ++i, scores += task.scores_row)
      x[i] = V::Sub(V::Mul(V::Load(scores), scale), now);
    ExpAll<V>(x);
    F* part = part_ + (begin & 15);
    for (int i = 0; i < N; ++i) {
      const F rounded = V::StoreRounded(p + i * kPanel, x[i]);
      part[i] = begin < 16 ? rounded : V::Add(part[i], rounded);
    }
  }

  void Close(const SoftmaxTask& task) {
    for (int width = 8; width > 0; width /= 2) {
      for (int i = 0; i < width; ++i) part_[i] = V::Add(part_[i], part_[i + width]);
    }
    const F alpha = Exp<V>(V::Sub(before_, now_));
    V::Store(task.alpha, alpha);
    V::Store(task.most, now_);
    V::Store(task.total, V::Fma(V::Load(task.total), alpha, part_[0]));
    Transpose(task);
  }

  // p from [position][head] to [head][position].
  void Transpose(const SoftmaxTask& task) {
    BF16* pairs = columns_ + kKvBlock * kPanel;  // [16 pairs of positions][16 heads][2]
    const int end = (task.n + kChunk - 1) / kChunk * kChunk;
    for (int j = task.n; j < end; ++j) V::Store(columns_ + j * kPanel, V::Zero());
    for (int chunk = 0; chunk < end; chunk += kChunk) {
      for (int j = 0; j < kChunk; j += 2) {
        const BF16* from = columns_ + (chunk + j) * kPanel;
        V::Interleave(from, from + kPanel, pairs + j * kPanel);
      }
      V::Transpose(reinterpret_cast<const uint32_t*>(pairs), 16,
                   reinterpret_cast<uint32_t*>(task.p + chunk * kPanel), 16);
    }
  }

  BF16* const columns_;
  F before_, now_;  // m
  F part_[16];      // of the sum of p: positions i mod 16
};

}  // namespace shoal::cpu

#endif  // SHOAL_RUNTIME_DEVICE_CPU_ATTENTION_SOFTMAX_H_
