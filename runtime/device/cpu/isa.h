#ifndef SHOAL_RUNTIME_DEVICE_CPU_ISA_H_
#define SHOAL_RUNTIME_DEVICE_CPU_ISA_H_

#include <cstdint>
#include <string_view>
#include <vector>

namespace shoal {

// Instruction sets that the CPU backend has kernels for. All return the same bits; they differ in
// speed.
enum class Isa : uint8_t {
  kBest,      // the fastest that this machine has
  kAmx,       // AMX-BF16 tiles with AVX-512 (Sapphire Rapids and later)
  kAvx512,    // AVX-512 F, BW, DQ, VL (Skylake-SP, Zen 4)
  kAvx2,      // AVX2 and FMA (Haswell, Zen)
  kPortable,  // any x86-64
};

std::string_view IsaName(Isa isa);  // "best", "amx", "avx512", "avx2", "portable"

// What this machine has, the fastest first; never kBest, always kPortable. The first call asks the
// kernel for this process's permission to use tiles.
const std::vector<Isa>& SupportedIsas();

}  // namespace shoal

#endif  // SHOAL_RUNTIME_DEVICE_CPU_ISA_H_
