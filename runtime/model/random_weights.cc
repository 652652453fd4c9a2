#include "runtime/model/random_weights.h"

#include <array>
#include <cmath>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/strip.h"

#include "runtime/base/check.h"
#include "runtime/tensor/dtype.h"

namespace shoal {
namespace {

constexpr float kLargestFp8 = 448;

uint64_t NameHash(absl::string_view name) {  // FNV-1a
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : name) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  return hash;
}

// 256 levels over +-448, as codes.
std::array<uint8_t, 256> Fp8Levels() {
  std::array<uint8_t, 256> codes;
  for (int i = 0; i < 256; ++i) {
    codes[i] = F8E4M3::FromFloat((static_cast<float>(i) - 127.5f) * (kLargestFp8 / 127.5f)).bits;
  }
  return codes;
}

// Puts `make(word)`, a group of values made of one word, at every multiple of its size; the last
// may be cut.  `first` counts words.
template <typename Group, typename Make>
void FillGroups(const RandomWords& words, uint64_t first, Make make, absl::Span<std::byte> out) {
  const size_t whole = out.size() / sizeof(Group);
  for (size_t i = 0; i < whole; ++i) {
    const Group group = make(words[first + i]);
    std::memcpy(out.data() + i * sizeof(Group), &group, sizeof(Group));
  }
  const Group last = make(words[first + whole]);
  std::memcpy(out.data() + whole * sizeof(Group), &last, out.size() % sizeof(Group));
}

void FillFp8(const RandomWords& words, uint64_t offset, absl::Span<std::byte> out) {
  static const std::array<uint8_t, 256> levels = Fp8Levels();
  const auto make = [](uint64_t word) {
    uint64_t codes = 0;  // put together in a register: the first in the lowest byte
    for (int b = 0; b < 64; b += 8) codes |= uint64_t{levels[word >> b & 0xff]} << b;
    return codes;
  };
  FillGroups<uint64_t>(words, offset / sizeof(uint64_t), make, out);
}

// T is BF16 or float.
template <typename T, typename Cast>
void FillValues(const RandomWords& words, uint64_t offset, RandomRange range, Cast cast,
                absl::Span<std::byte> out) {
  using Group = std::array<T, 4>;
  const auto make = [=](uint64_t word) {
    const auto value = [=](int shift) {
      const auto bits = static_cast<int16_t>(word >> shift);
      return cast(range.offset + range.amplitude * (static_cast<float>(bits) * 0x1p-15f));
    };
    return Group{value(0), value(16), value(32), value(48)};
  };
  FillGroups<Group>(words, offset / sizeof(Group), make, out);
}

}  // namespace

RandomRange RandomRangeOf(const TensorSpec& spec) {
  if (absl::EndsWith(spec.name, "e_score_correction_bias")) return {0.05f, 0};
  if (spec.shape.size() == 1) return {0.25f, 1};  // norm gains
  if (absl::EndsWith(spec.name, "embed_tokens.weight")) return {1, 0};
  const float unit =
      static_cast<float>(std::sqrt(3.0 / static_cast<double>(spec.shape[1])));  // variance 1 / in
  return {absl::EndsWith(spec.name, "lm_head.weight") ? 2 * unit : unit, 0};
}

RandomWords::RandomWords(absl::string_view tensor, uint64_t seed)
    : start_(NameHash(tensor) ^ (seed * kGolden)) {}

RandomWeights::RandomWeights(const TensorTable& table, uint64_t seed) : seed_(seed) {
  for (const TensorSpec& spec : table) by_name_[spec.name] = &spec;
  for (const TensorSpec& spec : table) {
    if (!spec.copy_of.empty()) by_name_[spec.name] = by_name_.at(spec.copy_of);
  }
}

void RandomWeights::Fill(const std::string& name, uint64_t offset,
                         absl::Span<std::byte> out) const {
  CHECK_EQ(offset % 32, 0u);
  const TensorSpec& spec = *by_name_.at(name);
  const DType dtype = spec.dtypes.front();
  const RandomWords words(spec.name, seed_);
  if (dtype == DType::kF8E4M3) return FillFp8(words, offset, out);
  RandomRange range;
  absl::string_view matrix = spec.name;
  if (absl::ConsumeSuffix(&matrix, kScaleSuffix)) {
    // A block's largest weight is 448 of its scales.
    const float scale = RandomRangeOf(*by_name_.at(std::string(matrix))).amplitude / kLargestFp8;
    range = {0.25f * scale, scale};
  } else {
    range = RandomRangeOf(spec);
  }
  if (dtype == DType::kF32) {
    FillValues<float>(
        words, offset, range, [](float v) { return v; }, out);
  } else {
    CHECK(dtype == DType::kBF16);
    FillValues<BF16>(words, offset, range, BF16::FromFloat, out);
  }
}

}  // namespace shoal
