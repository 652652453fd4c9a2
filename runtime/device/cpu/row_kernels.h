#ifndef SHOAL_RUNTIME_DEVICE_CPU_ROW_KERNELS_H_
#define SHOAL_RUNTIME_DEVICE_CPU_ROW_KERNELS_H_

#include <cstdint>

#include "runtime/device/cpu/lane_math.h"
#include "runtime/tensor/dtype.h"
#include "runtime/tensor/tensor.h"

namespace shoal::cpu {

// The operations that look at one row at a time; a kernel takes the rows [begin, end) of its task.
struct NormTask {
  Tensor x;      // F32 or BF16
  Tensor delta;  // F32, added to x first and kept there; empty: none
  Tensor gain;   // [1, d] F32
  float eps = 0;
  Tensor out;  // BF16
};
struct PairTask {  // two F32 operands, or one
  Tensor a, b;
  Tensor out;
};
struct CombineTask {
  Tensor home;  // [T * k, d] BF16
  int64_t k = 0;
  const float* weight = nullptr;  // [T * k]
  Tensor out;                     // [T, d] F32
};
struct GateTask {
  Tensor x;  // [T, d] BF16
  Tensor w;  // [experts, d] F32
  bool softmax = false;
  float* scores = nullptr;  // [T, experts]
};

// V in the template arguments keeps the instruction sets' instances apart.
template <class V, class T>
T* RowAt(const Tensor& t, int64_t row) {
  return reinterpret_cast<T*>(t.data) + row * t.row_stride;
}

// Rule N8: lane i takes the squares of elements i mod 16, ascending.
template <class V, class T>
float MeanSquare(const T* x, int64_t d) {
  auto acc = V::Zero();
  ForLanes<V>(d, [&](int64_t i, int n) {
    const auto v = LoadUpTo<V>(x + i, n);
    acc = V::Fma(v, v, acc);
  });
  return V::Sum(acc) / static_cast<float>(d);
}

template <class V, class T>
void NormRow(const NormTask& task, int64_t row) {
  const int64_t d = task.x.cols;
  T* x = RowAt<V, T>(task.x, row);
  if (task.delta.data != nullptr) {
    const float* delta = RowAt<V, float>(task.delta, row);
    ForLanes<V>(d, [=](int64_t i, int n) {
      StoreUpTo<V>(x + i, V::Add(LoadUpTo<V>(x + i, n), LoadUpTo<V>(delta + i, n)), n);
    });
  }
  // A square root and a division, both rounded correctly everywhere, are the own rsqrt of rule N7.
  const float mean = MeanSquare<V>(x, d);
  const auto inverse = V::Div(V::Set(1), V::Sqrt(V::Add(V::Set(mean), V::Set(task.eps))));
  const float* gain = RowAt<V, float>(task.gain, 0);
  BF16* out = RowAt<V, BF16>(task.out, row);
  ForLanes<V>(d, [=](int64_t i, int n) {
    const auto normed = V::Mul(LoadUpTo<V>(x + i, n), inverse);
    StoreUpTo<V>(out + i, V::Mul(normed, LoadUpTo<V>(gain + i, n)), n);
  });
}

template <class V>
void Norm(const NormTask& task, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row) {
    if (task.x.dtype == DType::kF32) {
      NormRow<V, float>(task, row);
    } else {
      NormRow<V, BF16>(task, row);
    }
  }
}

// out = silu(a) * b.
template <class V>
void SwiGlu(const PairTask& task, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row) {
    const float* gate = RowAt<V, float>(task.a, row);
    const float* up = RowAt<V, float>(task.b, row);
    BF16* out = RowAt<V, BF16>(task.out, row);
    ForLanes<V>(task.a.cols, [=](int64_t i, int n) {
      StoreUpTo<V>(out + i, V::Mul(Silu<V>(LoadUpTo<V>(gate + i, n)), LoadUpTo<V>(up + i, n)), n);
    });
  }
}

// out = a, rounded; every head of the row.
template <class V>
void Cast(const PairTask& task, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row) {
    for (int64_t head = 0; head < task.a.heads; ++head) {
      const float* x = RowAt<V, float>(task.a, row) + head * task.a.head_stride;
      BF16* out = RowAt<V, BF16>(task.out, row) + head * task.out.head_stride;
      ForLanes<V>(task.a.cols,
                  [=](int64_t i, int n) { StoreUpTo<V>(out + i, LoadUpTo<V>(x + i, n), n); });
    }
  }
}

// a += b.
template <class V>
void Add(const PairTask& task, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row) {
    float* a = RowAt<V, float>(task.a, row);
    const float* b = RowAt<V, float>(task.b, row);
    ForLanes<V>(task.a.cols, [=](int64_t i, int n) {
      StoreUpTo<V>(a + i, V::Add(LoadUpTo<V>(a + i, n), LoadUpTo<V>(b + i, n)), n);
    });
  }
}

// Rule N9: the row's pairs in order (experts ascend), each a fused multiply-add.
template <class V>
void Combine(const CombineTask& task, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row) {
    float* out = RowAt<V, float>(task.out, row);
    ForLanes<V>(task.out.cols, [=, &task](int64_t i, int n) {
      auto acc = LoadUpTo<V>(out + i, n);
      for (int64_t j = row * task.k; j < (row + 1) * task.k; ++j) {
        acc = V::Fma(V::Set(task.weight[j]), LoadUpTo<V>(RowAt<V, BF16>(task.home, j) + i, n), acc);
      }
      StoreUpTo<V>(out + i, acc, n);
    });
  }
}

// The logits w_e . x of R rows and E experts, each in 16 lanes with a fused chain per lane (rules
// N8, N10).
template <class V, int R, int E>
void GateLogits(const GateTask& task, int64_t row, int64_t expert) {
  typename V::F acc[R][E];
  for (int r = 0; r < R; ++r) {
    for (int e = 0; e < E; ++e) acc[r][e] = V::Zero();
  }
  const BF16* x = RowAt<V, BF16>(task.x, row);
  const float* w = RowAt<V, float>(task.w, expert);
  const int64_t x_stride = task.x.row_stride, w_stride = task.w.row_stride;
  ForLanes<V>(task.x.cols, [&](int64_t i, int n) {
    typename V::F weight[E];
    for (int e = 0; e < E; ++e) weight[e] = LoadUpTo<V>(w + e * w_stride + i, n);
    for (int r = 0; r < R; ++r) {
      const auto v = LoadUpTo<V>(x + r * x_stride + i, n);
      for (int e = 0; e < E; ++e) acc[r][e] = V::Fma(v, weight[e], acc[r][e]);
    }
  });
  for (int r = 0; r < R; ++r) {
    for (int e = 0; e < E; ++e)
      task.scores[(row + r) * task.w.rows + expert + e] = V::Sum(acc[r][e]);
  }
}

// All logits of rows [begin, end), experts in fours: those weights stay in a cache while the rows
// pass.
template <class V>
void AllGateLogits(const GateTask& task, int64_t begin, int64_t end) {
  for (int64_t e = 0; e < task.w.rows;) {
    const bool four = e + 4 <= task.w.rows;
    int64_t row = begin;
    for (; four && row + 4 <= end; row += 4) GateLogits<V, 4, 4>(task, row, e);
    for (; row < end; ++row) {
      if (four) {
        GateLogits<V, 1, 4>(task, row, e);
      } else {
        GateLogits<V, 1, 1>(task, row, e);
      }
    }
    e += four ? 4 : 1;
  }
}

// exp(x - max) / sum.
template <class V>
void SoftmaxRow(float* x, int64_t size) {
  float most = x[0];
  for (int64_t i = 1; i < size; ++i) most = x[i] > most ? x[i] : most;
  auto acc = V::Zero();
  ForLanes<V>(size, [&](int64_t i, int n) {
    StoreUpTo<V>(x + i, Exp<V>(V::Sub(LoadUpTo<V>(x + i, n), V::Set(most))), n);
    acc = V::Add(acc, LoadUpTo<V>(x + i, n));
  });
  const auto sum = V::Set(V::Sum(acc));
  ForLanes<V>(
      size, [=](int64_t i, int n) { StoreUpTo<V>(x + i, V::Div(LoadUpTo<V>(x + i, n), sum), n); });
}

template <class V>
void GateScores(const GateTask& task, int64_t begin, int64_t end) {
  constexpr int64_t kRows = 32;  // of x that stay in the second-level cache
  const int64_t experts = task.w.rows;
  for (int64_t row = begin; row < end; row += kRows)
    AllGateLogits<V>(task, row, row + kRows < end ? row + kRows : end);
  for (int64_t row = begin; row < end; ++row) {
    float* scores = task.scores + row * experts;
    if (task.softmax) {
      SoftmaxRow<V>(scores, experts);
    } else {
      ForLanes<V>(experts, [=](int64_t i, int n) {
        StoreUpTo<V>(scores + i, Sigmoid<V>(LoadUpTo<V>(scores + i, n)), n);
      });
    }
  }
}

}  // namespace shoal::cpu

#endif  // SHOAL_RUNTIME_DEVICE_CPU_ROW_KERNELS_H_
