#include "runtime/device/contract/side.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/types/span.h"

#include "runtime/base/check.h"
#include "runtime/device/device.h"
#include "runtime/tensor/dtype.h"
#include "runtime/tensor/tensor.h"

namespace shoal {
namespace {

template <typename T>
std::vector<std::byte> EncodeAs(const Values& values) {
  std::vector<std::byte> bytes(values.data.size() * sizeof(T));
  for (size_t i = 0; i < values.data.size(); ++i) {
    if constexpr (std::is_same_v<T, float>) {
      std::memcpy(bytes.data() + i * sizeof(T), &values.data[i], sizeof(T));
    } else {
      const T x = T::FromFloat(values.data[i]);
      std::memcpy(bytes.data() + i * sizeof(T), &x, sizeof(T));
    }
  }
  return bytes;
}

std::vector<std::byte> Encode(const Values& values, DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return EncodeAs<float>(values);
    case DType::kBF16:
      return EncodeAs<BF16>(values);
    default:
      CHECK(dtype == DType::kF8E4M3) << DTypeName(dtype);
      return EncodeAs<F8E4M3>(values);
  }
}

std::vector<float> Decode(const std::vector<std::byte>& bytes, DType dtype) {
  std::vector<float> values(bytes.size() / SizeOf(dtype));
  for (size_t i = 0; i < values.size(); ++i) {
    const std::byte* from = bytes.data() + i * SizeOf(dtype);
    if (dtype == DType::kF32) {
      std::memcpy(&values[i], from, sizeof(float));
    } else if (dtype == DType::kBF16) {
      BF16 x;
      std::memcpy(&x.bits, from, sizeof(x.bits));
      values[i] = x.ToFloat();
    } else {
      values[i] = F8E4M3{std::to_integer<uint8_t>(*from)}.ToFloat();
    }
  }
  return values;
}

}  // namespace

Values Values::Row(int64_t row) const {
  return {1, cols, std::vector<float>(data.begin() + row * cols, data.begin() + (row + 1) * cols)};
}

Values RandomValues(uint32_t seed, int64_t rows, int64_t cols, float magnitude) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  Values v{rows, cols, std::vector<float>(static_cast<size_t>(rows * cols))};
  for (float& f : v.data) f = normal(random) * magnitude;
  return v;
}

Values Rounded(Values values, DType dtype) {
  values.data = Decode(Encode(values, dtype), dtype);
  return values;
}

std::byte* Side::Place(const void* host, size_t bytes) {
  absl::StatusOr<Buffer> buffer = device_.Allocate(bytes == 0 ? 1 : bytes);
  CHECK_OK(buffer);
  buffers_.push_back(*std::move(buffer));
  if (host != nullptr) {
    device_.Upload(absl::MakeConstSpan(static_cast<const std::byte*>(host), bytes),
                   buffers_.back().data());
  }
  return buffers_.back().data();
}

Tensor Side::Put(const Values& values, DType dtype) {
  const std::vector<std::byte> bytes = Encode(values, dtype);
  return Tensor::Of(Place(bytes.data(), bytes.size()), dtype, values.rows, values.cols);
}

Tensor Side::Out(DType dtype, int64_t rows, int64_t cols) {
  const std::vector<std::byte> poison(static_cast<size_t>(rows * cols) * SizeOf(dtype),
                                      std::byte{0xff});
  return Tensor::Of(Place(poison.data(), poison.size()), dtype, rows, cols);
}

Weight Side::PutWeight(const Values& values, DType dtype, const Values& scale) {
  std::vector<std::byte> bytes = Encode(values, dtype);
  const Tensor host = Tensor::Of(bytes.data(), dtype, values.rows, values.cols);
  const Tensor scales = dtype == DType::kF8E4M3 ? PutF32(scale) : Tensor{};
  std::byte* device = Place(nullptr, device_.WeightBytes(dtype, values.rows, values.cols));
  return device_.LayOut(host, scales, device);
}

std::vector<std::byte> Side::Bytes(Tensor t) {
  CHECK_OK(ops().Finish());
  CHECK(t.packed()) << t.ShapeString();
  std::vector<std::byte> bytes(t.bytes());
  device_.Download(t.data, absl::MakeSpan(bytes));
  return bytes;
}

std::vector<float> Side::Get(Tensor t) { return Decode(Bytes(t), t.dtype); }

double RelativeL2(const std::vector<float>& a, const std::vector<float>& b) {
  CHECK_EQ(a.size(), b.size());
  double difference = 0, norm = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
    norm += double{b[i]} * b[i];
  }
  return difference == 0 ? 0 : std::sqrt(difference / norm);
}

}  // namespace shoal
