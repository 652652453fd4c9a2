// Random numbers that are a function of their names.

#ifndef SHOAL_TOOLS_LOADGEN_SEEDED_RANDOM_H_
#define SHOAL_TOOLS_LOADGEN_SEEDED_RANDOM_H_

#include <cstdint>

namespace shoal::loadgen {

// SplitMix64's output function: a bijection that spreads every bit over all others (Steele, Lea and
// Flood, "Fast splittable pseudorandom number generators", 2014).
constexpr uint64_t MixBits(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

// SplitMix64 over the stream that (seed, purpose, index) names. Two streams have nothing in common,
// so what one request draws never moves what another does. One thread.
class SeededRandom {
 public:
  enum class Purpose : uint64_t {
    kArrival = 1,
    kPromptLength,
    kOutputLength,
    kPrefixGroup,
    kPrefixTokens,
    kPromptTokens,
    kCancel,
    kSlow,
    kSampling,
  };

  constexpr SeededRandom(uint64_t seed, Purpose purpose, uint64_t index)
      : state_(MixBits(MixBits(MixBits(seed + kGamma) + static_cast<uint64_t>(purpose) * kGamma) +
                       (index + 1) * kGamma)) {}

  constexpr uint64_t Next() { return MixBits(state_ += kGamma); }
  // In [0, 1), a multiple of 2^-53.
  constexpr double Uniform() { return static_cast<double>(Next() >> 11) * 0x1p-53; }
  // In [0, n). REQUIRES: n > 0.
  constexpr uint64_t Below(uint64_t n) {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(Next()) * n) >> 64);
  }

 private:
  static constexpr uint64_t kGamma = 0x9e3779b97f4a7c15u;
  uint64_t state_;
};

}  // namespace shoal::loadgen

#endif  // SHOAL_TOOLS_LOADGEN_SEEDED_RANDOM_H_
