#ifndef SHOAL_RUNTIME_BASE_CRC32C_FOLD_H_
#define SHOAL_RUNTIME_BASE_CRC32C_FOLD_H_

#include <cstddef>
#include <cstdint>

namespace shoal::internal {

// Bytes below which folding does not pay.
inline constexpr size_t kFoldMinBytes = 256;

// Whether this CPU multiplies polynomials in 512-bit registers (VPCLMULQDQ with AVX-512).
bool HaveCrc32cFold();

// Advances `crc`, the register (not inverted), over the first size / 64 * 64 bytes; about four
// times the rate of the crc32 instruction while the data is in the caches. REQUIRES:
// HaveCrc32cFold(), size >= kFoldMinBytes.
uint32_t FoldCrc32c(uint32_t crc, const void* data, size_t size);
// The same, copying these bytes to `to` on the way.
uint32_t CopyFoldingCrc32c(uint32_t crc, void* to, const void* from, size_t size);

}  // namespace shoal::internal

#endif  // SHOAL_RUNTIME_BASE_CRC32C_FOLD_H_
