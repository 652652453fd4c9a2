#include "runtime/device/cpu/isa.h"

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string_view>
#include <vector>

namespace shoal {
namespace {

// Linux gives tile state only to processes that ask for it (arch_prctl(2),
// Documentation/x86/xstate.rst).
bool AskForTiles() {
  constexpr int kArchRequestXcompPerm = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kArchRequestXcompPerm, kTileData) == 0;
}

// Compilers of our age do not know AMX by name in __builtin_cpu_supports: leaf 7, EDX bits 22
// (AMX-BF16) and 24 (AMX-TILE).
bool CpuHasTiles() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return false;
  return (d >> 22 & 1) != 0 && (d >> 24 & 1) != 0;
}

std::vector<Isa> Detect() {
  std::vector<Isa> isas;
  // __builtin_cpu_supports also asks whether the system saves the registers.
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (avx512 && __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512bf16") &&
      CpuHasTiles() && AskForTiles())
    isas.push_back(Isa::kAmx);
  if (avx512) isas.push_back(Isa::kAvx512);
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) isas.push_back(Isa::kAvx2);
  isas.push_back(Isa::kPortable);
  return isas;
}

}  // namespace

std::string_view IsaName(Isa isa) {
  switch (isa) {
    case Isa::kBest:
      return "best";
    case Isa::kAmx:
      return "amx";
    case Isa::kAvx512:
      return "avx512";
    case Isa::kAvx2:
      return "avx2";
    case Isa::kPortable:
      return "portable";
  }
  return "?";
}

const std::vector<Isa>& SupportedIsas() {
  static const auto& isas = *new std::vector<Isa>(Detect());
  return isas;
}

}  // namespace shoal
