#ifndef SHOAL_RUNTIME_MODEL_RANDOM_WEIGHTS_H_
#define SHOAL_RUNTIME_MODEL_RANDOM_WEIGHTS_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "runtime/weights/tensor_table.h"

namespace shoal {

// Random weights, as functions of (name, shape, seed): plain integer arithmetic and correctly
// rounded float32, so the same on every machine, and any part of a tensor without the rest.

// value = offset + amplitude * u, u uniform in [-1, 1): matrices of variance 1 / in, gains about 1,
// so that activations keep their size through any number of layers and the gate spreads its tokens.
struct RandomRange {
  float amplitude = 1, offset = 0;
};
RandomRange RandomRangeOf(const TensorSpec& spec);

// The 64 random bits number `i` of a tensor: a counter, mixed by splitmix64's finalizer.
class RandomWords {
 public:
  RandomWords(absl::string_view tensor, uint64_t seed);
  uint64_t operator[](uint64_t i) const {
    uint64_t z = start_ + (i + 1) * kGolden;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

 private:
  static constexpr uint64_t kGolden = 0x9e3779b97f4a7c15;
  uint64_t start_;
};

// The tensors of a table as a checkpoint stores them, fast: one word makes eight FP8 weights or
// four values of any other type.  FP8 codes are drawn as codes, over the whole range of a block,
// and block scales about what that range asks for; nothing is quantized.  A copy
// (TensorSpec::copy_of) is the same bytes as its original.
class RandomWeights {
 public:
  // `table` outlives it.
  RandomWeights(const TensorTable& table, uint64_t seed);

  // Fills `out` with the bytes of tensor `name`, in the first dtype that its spec allows, from
  // `offset` on.  REQUIRES: `offset` is a multiple of 32; the tensor is in the table.
  void Fill(const std::string& name, uint64_t offset, absl::Span<std::byte> out) const;

 private:
  // By name; a copy's is its original's.
  absl::flat_hash_map<std::string, const TensorSpec*> by_name_;
  const uint64_t seed_;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_MODEL_RANDOM_WEIGHTS_H_
