#include "runtime/model/random_weights.h"

#include <algorithm>
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

void FillFp8(const RandomWords& words, uint64_t first, absl::Span<std::byte> out) {
  static const std::array<uint8_t, 256> levels = Fp8Levels();
  for (size_t i = 0; i < out.size(); i += 8) {
    const uint64_t word = words[(first + i) / 8];
    uint8_t codes[8];
    for (int b = 0; b < 8; ++b) codes[b] = levels[word >> (8 * b) & 0xff];
    std::memcpy(out.data() + i, codes, std::min<size_t>(8, out.size() - i));
  }
}

float ValueOf(uint64_t word, int lane, const RandomRange& range) {
  const auto bits = static_cast<int16_t>(word >> (16 * lane));
  return range.offset + range.amplitude * (static_cast<float>(bits) * 0x1p-15f);
}

// T is BF16 or float.  `first` is a multiple of 4.
template <typename T, typename Cast>
void FillValues(const RandomWords& words, uint64_t first, const RandomRange& range, Cast cast,
                absl::Span<std::byte> out) {
  const size_t n = out.size() / sizeof(T);
  for (size_t i = 0; i < n; i += 4) {
    const uint64_t word = words[(first + i) / 4];
    T values[4];
    for (int lane = 0; lane < 4; ++lane) values[lane] = cast(ValueOf(word, lane, range));
    std::memcpy(out.data() + i * sizeof(T), values, std::min<size_t>(4, n - i) * sizeof(T));
  }
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
}

void RandomWeights::Fill(const std::string& name, uint64_t offset,
                         absl::Span<std::byte> out) const {
  CHECK_EQ(offset % 32, 0u);
  const TensorSpec& spec = *by_name_.at(name);
  const DType dtype = spec.dtypes.front();
  const uint64_t first = offset / SizeOf(dtype);
  const RandomWords words(name, seed_);
  if (dtype == DType::kF8E4M3) return FillFp8(words, first, out);
  RandomRange range;
  absl::string_view matrix = name;
  if (absl::ConsumeSuffix(&matrix, kScaleSuffix)) {
    // A block's largest weight is 448 of its scales.
    const float scale = RandomRangeOf(*by_name_.at(std::string(matrix))).amplitude / kLargestFp8;
    range = {0.25f * scale, scale};
  } else {
    range = RandomRangeOf(spec);
  }
  if (dtype == DType::kF32) {
    FillValues<float>(
        words, first, range, [](float v) { return v; }, out);
  } else {
    CHECK(dtype == DType::kBF16);
    FillValues<BF16>(words, first, range, BF16::FromFloat, out);
  }
}

}  // namespace shoal
