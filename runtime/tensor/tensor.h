#ifndef SHOAL_RUNTIME_TENSOR_TENSOR_H_
#define SHOAL_RUNTIME_TENSOR_TENSOR_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "runtime/tensor/dtype.h"

namespace shoal {

// A view of device memory: [rows, heads, cols], the last axis contiguous.  Cheap to copy, owns
// nothing. A matrix has heads == 1.  Zero rows is an ordinary value.
struct Tensor {
  std::byte* data = nullptr;
  DType dtype = DType::kF32;
  int64_t rows = 0, heads = 1, cols = 0;
  int64_t row_stride = 0, head_stride = 0;  // in elements

  static Tensor Of(void* p, DType dtype, int64_t rows, int64_t cols) {
    return {static_cast<std::byte*>(p), dtype, rows, 1, cols, cols, cols};
  }

  bool empty() const { return rows == 0 || data == nullptr; }
  int64_t width() const { return heads * cols; }
  // Bytes of a packed copy.
  size_t bytes() const { return static_cast<size_t>(rows * width()) * SizeOf(dtype); }
  bool packed() const { return head_stride == cols && row_stride == width(); }

  // REQUIRES: DTypeOf<T>() == dtype (checked in debug builds by the callers' kernels).
  template <typename T>
  T* At(int64_t row, int64_t head = 0) const {
    return reinterpret_cast<T*>(data) + row * row_stride + head * head_stride;
  }

  // [T, n*d] -> [T, n, d].  REQUIRES: heads == 1 and n divides cols.
  Tensor Heads(int64_t n) const {
    Tensor t = *this;
    t.heads = n, t.cols = cols / n, t.head_stride = t.cols;
    return t;
  }
  // [T, n, d] -> [T, n*d].  REQUIRES: heads are packed.
  Tensor Flat() const {
    Tensor t = *this;
    t.heads = 1, t.cols = heads * cols, t.head_stride = t.cols;
    return t;
  }
  // Splits the last axis at `at`, in every head: [.., d] -> [.., at], [.., d - at].
  std::pair<Tensor, Tensor> Split(int64_t at) const {
    Tensor a = *this, b = *this;
    a.cols = at, b.cols = cols - at;
    b.data += at * static_cast<int64_t>(SizeOf(dtype));
    return {a, b};
  }
  Tensor Rows(int64_t begin, int64_t n) const {
    Tensor t = *this;
    t.data += begin * row_stride * static_cast<int64_t>(SizeOf(dtype)), t.rows = n;
    return t;
  }

  std::string ShapeString() const;  // "[3, 4, 128] BF16", for error messages
};

// A weight matrix as the device holds it: w[out, in], with one float32 scale per 128 x 128 block
// when it is FP8 (w = data * scale of its block; DeepSeek-V3 README_WEIGHTS.md).  `data` is in the
// device's own layout: only the Ops of the device that made it may look inside.
struct Weight {
  Tensor data;   // logical shape [out, in]
  Tensor scale;  // [ceil(out/128), ceil(in/128)] F32; empty unless FP8
  int64_t out() const { return data.rows; }
  int64_t in() const { return data.cols; }
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_TENSOR_TENSOR_H_
