#include "runtime/base/crc32c.h"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

#include "runtime/base/crc32c_fold.h"

namespace shoal {
namespace internal {
namespace {

// table[k][b] is the CRC of byte b followed by k zero bytes, so eight lookups
// advance the CRC by eight bytes.
using Tables = std::array<std::array<uint32_t, 256>, 8>;

constexpr Tables MakeTables() {
  Tables tables{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78u : 0u);
    }
    tables[0][byte] = crc;
  }
  for (size_t k = 1; k < tables.size(); ++k) {
    for (size_t byte = 0; byte < 256; ++byte) {
      const uint32_t crc = tables[k - 1][byte];
      tables[k][byte] = (crc >> 8) ^ tables[0][crc & 0xff];
    }
  }
  return tables;
}

constexpr Tables kTables = MakeTables();

uint64_t LoadLittleEndian64(const unsigned char* p) {
  uint64_t word = 0;
  for (int i = 7; i >= 0; --i) word = (word << 8) | p[i];
  return word;
}

}  // namespace

uint32_t ExtendCrc32cPortable(uint32_t crc, const void* data, size_t size) {
  const auto* p = static_cast<const unsigned char*>(data);
  crc = ~crc;
  for (; size >= 8; size -= 8, p += 8) {
    const uint64_t word = LoadLittleEndian64(p) ^ crc;
    crc = 0;
    for (int i = 0; i < 8; ++i) crc ^= kTables[7 - i][(word >> (8 * i)) & 0xff];
  }
  for (; size > 0; --size, ++p) crc = (crc >> 8) ^ kTables[0][(crc ^ *p) & 0xff];
  return ~crc;
}

#if defined(__x86_64__)

bool HaveCrc32cInstruction() { return __builtin_cpu_supports("sse4.2"); }

namespace {

// The instruction takes three cycles and one may start in each, so three lanes of
// a block run side by side. Joining them needs the effect of a lane's length in
// zero bytes on a CRC, which is linear: table[k][b] is that of byte k being b.
using ShiftTable = std::array<std::array<uint32_t, 256>, 4>;

constexpr ShiftTable MakeShiftTable(size_t zeros) {
  ShiftTable table{};
  for (int bit = 0; bit < 32; ++bit) {
    uint32_t crc = uint32_t{1} << bit;
    for (size_t i = 0; i < zeros; ++i) crc = (crc >> 8) ^ kTables[0][crc & 0xff];
    for (size_t byte = 0; byte < 256; ++byte) {
      if ((byte >> (bit % 8)) & 1) table[bit / 8][byte] ^= crc;
    }
  }
  return table;
}

template <size_t kLane>
inline constexpr ShiftTable kShift = MakeShiftTable(kLane);

template <size_t kLane>
uint32_t Shift(uint32_t crc) {
  const ShiftTable& t = kShift<kLane>;
  return t[0][crc & 0xff] ^ t[1][(crc >> 8) & 0xff] ^ t[2][(crc >> 16) & 0xff] ^ t[3][crc >> 24];
}

// Advances `crc` over blocks of three lanes for as long as there are any.
template <size_t kLane>
__attribute__((target("sse4.2"))) uint32_t TakeBlocks(uint32_t crc, const unsigned char** data,
                                                      size_t* size) {
  static_assert(kLane % 8 == 0);
  for (; *size >= 3 * kLane; *size -= 3 * kLane, *data += 3 * kLane) {
    uint64_t a = crc, b = 0, c = 0;
    for (const unsigned char* p = *data; p < *data + kLane; p += 8) {
      uint64_t words[3];
      std::memcpy(&words[0], p, 8);
      std::memcpy(&words[1], p + kLane, 8);
      std::memcpy(&words[2], p + 2 * kLane, 8);
      a = _mm_crc32_u64(a, words[0]);
      b = _mm_crc32_u64(b, words[1]);
      c = _mm_crc32_u64(c, words[2]);
    }
    crc = Shift<kLane>(static_cast<uint32_t>(a)) ^ static_cast<uint32_t>(b);
    crc = Shift<kLane>(crc) ^ static_cast<uint32_t>(c);
  }
  return crc;
}

}  // namespace

__attribute__((target("sse4.2"))) uint32_t ExtendCrc32cHardware(uint32_t crc, const void* data,
                                                                size_t size) {
  const auto* p = static_cast<const unsigned char*>(data);
  uint64_t wide = TakeBlocks<128>(TakeBlocks<1024>(~crc, &p, &size), &p, &size);
  for (; size >= 8; size -= 8, p += 8) {
    uint64_t word;
    std::memcpy(&word, p, sizeof(word));
    wide = _mm_crc32_u64(wide, word);
  }
  auto narrow = static_cast<uint32_t>(wide);
  for (; size > 0; --size, ++p) narrow = _mm_crc32_u8(narrow, *p);
  return ~narrow;
}

#else

bool HaveCrc32cInstruction() { return false; }

uint32_t ExtendCrc32cHardware(uint32_t crc, const void* data, size_t size) {
  return ExtendCrc32cPortable(crc, data, size);
}

#endif

}  // namespace internal

namespace {

bool MayFold(size_t size) {
  static const bool fold = internal::HaveCrc32cFold();
  return fold && size >= internal::kFoldMinBytes;
}

}  // namespace

uint32_t ExtendCrc32c(uint32_t crc, const void* data, size_t size) {
  static const bool hardware = internal::HaveCrc32cInstruction();
  if (MayFold(size)) {
    const size_t folded = size / 64 * 64;
    crc = ~internal::FoldCrc32c(~crc, data, folded);
    data = static_cast<const unsigned char*>(data) + folded;
    size -= folded;
  }
  return hardware ? internal::ExtendCrc32cHardware(crc, data, size)
                  : internal::ExtendCrc32cPortable(crc, data, size);
}

uint32_t CopyExtendingCrc32c(uint32_t crc, void* to, const void* from, size_t size) {
  if (MayFold(size)) {
    const size_t folded = size / 64 * 64;
    crc = ~internal::CopyFoldingCrc32c(~crc, to, from, folded);
    to = static_cast<unsigned char*>(to) + folded;
    from = static_cast<const unsigned char*>(from) + folded;
    size -= folded;
  }
  std::memcpy(to, from, size);
  return ExtendCrc32c(crc, from, size);
}

}  // namespace shoal
