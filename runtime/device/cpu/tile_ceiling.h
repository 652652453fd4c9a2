#ifndef SHOAL_RUNTIME_DEVICE_CPU_TILE_CEILING_H_
#define SHOAL_RUNTIME_DEVICE_CPU_TILE_CEILING_H_

namespace shoal::cpu {

// GFLOP/s of one thread's tile unit on bf16 with all operands in tiles: the ceiling that benchmarks
// quote. REQUIRES: SupportedIsas() has kAmx.
double TileCeiling();

}  // namespace shoal::cpu

#endif  // SHOAL_RUNTIME_DEVICE_CPU_TILE_CEILING_H_
