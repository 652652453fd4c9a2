// CRC-32C (Castagnoli, reflected polynomial 0x82f63b78; RFC 3720, appendix
// B.4): detects damage of frames on the wire. No defence against forgery.

#ifndef SHOAL_RUNTIME_BASE_CRC32C_H_
#define SHOAL_RUNTIME_BASE_CRC32C_H_

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace shoal {

// The CRC of what `crc` covers followed by `size` bytes at `data`; the CRC of
// nothing is 0. Uses what this CPU does fastest.
uint32_t ExtendCrc32c(uint32_t crc, const void* data, size_t size);

// The same over `from`, which it copies to `to` on the way.  The two do not overlap.
uint32_t CopyExtendingCrc32c(uint32_t crc, void* to, const void* from, size_t size);

inline uint32_t Crc32c(const void* data, size_t size) { return ExtendCrc32c(0, data, size); }
inline uint32_t Crc32c(absl::string_view bytes) { return Crc32c(bytes.data(), bytes.size()); }

namespace internal {
// The two forms behind ExtendCrc32c, for its test.
uint32_t ExtendCrc32cPortable(uint32_t crc, const void* data, size_t size);
// REQUIRES: HaveCrc32cInstruction().
uint32_t ExtendCrc32cHardware(uint32_t crc, const void* data, size_t size);
bool HaveCrc32cInstruction();
}  // namespace internal

}  // namespace shoal

#endif  // SHOAL_RUNTIME_BASE_CRC32C_H_
