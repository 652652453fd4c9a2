#ifndef SHOAL_RUNTIME_DEVICE_CPU_FP8_H_
#define SHOAL_RUNTIME_DEVICE_CPU_FP8_H_

#include <cstdint>

namespace shoal::cpu {

// The bf16 bits of every F8_E4M3 code (rule N3: the widening is exact).
struct Fp8Table {
  uint16_t bits[256];
  alignas(64) uint8_t low[128];  // the bytes of the positive codes' bits
  alignas(64) uint8_t high[128];
};
constexpr Fp8Table MakeFp8Table() {
  Fp8Table table{};
  for (unsigned code = 0; code < 256; ++code) {
    const unsigned sign = (code & 0x80) << 8, magnitude = code & 0x7f;
    unsigned bits = 0;
    if (magnitude == 0x7f) {
      bits = 0x7fc0;
    } else if (magnitude >= 8) {
      bits = (magnitude << 4) + (120u << 7);
    } else if (magnitude > 0) {  // m * 2^-9, normalised
      const unsigned top = magnitude >= 4 ? 2 : magnitude >= 2 ? 1 : 0;
      bits = (118 + top) << 7 | ((magnitude << (7 - top)) & 0x7f);
    }
    table.bits[code] = static_cast<uint16_t>(sign | bits);
    if (code >= 128) continue;
    table.low[code] = static_cast<uint8_t>(bits);
    table.high[code] = static_cast<uint8_t>(bits >> 8);
  }
  return table;
}
inline constexpr Fp8Table kFp8Table = MakeFp8Table();

}  // namespace shoal::cpu

#endif  // SHOAL_RUNTIME_DEVICE_CPU_FP8_H_
