#ifndef SHOAL_RUNTIME_MODEL_ROPE_H_
#define SHOAL_RUNTIME_MODEL_ROPE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/model/config.h"

namespace shoal {

// cos and sin of position * frequency, as Ops::Rope takes them, in host memory.  The one routine
// for every backend.
struct HostRopeTable {
  int64_t positions = 0, half = 0;  // half = rope_dim / 2
  std::vector<float> cos, sin;      // [positions, half]

  std::string Digest() const;  // SHA-256 (hex); part of the numerics id
};

// Rotary embedding with YaRN's frequencies (arXiv 2309.00071, "NTK-by-parts"), its magnitude factor
// m(factor, mscale) / m(factor, mscale_all_dim) folded in, where m(f, s) = 0.1 s ln f + 1.
// REQUIRES: 1 <= positions <= 2^20.
HostRopeTable MakeRopeTable(const DeepSeekConfig& config, int64_t positions);

// Frequencies in radians per position, [rope_dim / 2].
std::vector<double> RopeFrequencies(const DeepSeekConfig& config);

// (nope_dim + rope_dim)^-1/2, times m(factor, mscale_all_dim)^2 with YaRN.
float SoftmaxScale(const DeepSeekConfig& config);

}  // namespace shoal

#endif  // SHOAL_RUNTIME_MODEL_ROPE_H_
