// A message is a polynomial over GF(2), its CRC the remainder of a division.  What stands D bits
// further back counts x^D times as much, so a register is folded onto the one D bits behind it by
// multiplying its halves by x^D mod P (Gopal et al., "Fast CRC Computation for Generic Polynomials
// Using PCLMULQDQ Instruction", Intel 2009).  The bits are reflected, so a product lies one bit too
// low, and each 64-bit half is multiplied by a remainder of 32 bits that stands at its low end:
// hence the exponents D + 32 and D - 32 and the shift by one.
#include "runtime/base/crc32c_fold.h"

#include "runtime/base/check.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace shoal::internal {

#if defined(__x86_64__)

bool HaveCrc32cFold() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("vpclmulqdq") && __builtin_cpu_supports("sse4.2");
}

namespace {

// x^n mod P, reflected, in the place where the product needs it.
constexpr int64_t PowerOfX(int n) {
  uint32_t power = 0x80000000u;
  for (int i = 0; i < n; ++i) power = (power >> 1) ^ ((power & 1) != 0 ? 0x82f63b78u : 0u);
  return static_cast<int64_t>(uint64_t{power} << 1);
}

#define SHOAL_FOLD __attribute__((target("avx512f,avx512vl,vpclmulqdq,pclmul,sse4.2")))

// `ahead` moved kBits back, plus `behind`.
template <int kBits>
SHOAL_FOLD inline __m512i Fold(__m512i ahead, __m512i behind) {
  constexpr int64_t kFront = PowerOfX(kBits + 32), kBack = PowerOfX(kBits - 32);
  const __m512i k = _mm512_set_epi64(kBack, kFront, kBack, kFront, kBack, kFront, kBack, kFront);
  constexpr int kXorOfThree = 0x96;
  return _mm512_ternarylogic_epi64(_mm512_clmulepi64_epi128(ahead, k, 0x00),
                                   _mm512_clmulepi64_epi128(ahead, k, 0x11), behind, kXorOfThree);
}

template <int kBits>
SHOAL_FOLD inline __m128i Fold(__m128i ahead, __m128i behind) {
  const __m128i k = _mm_set_epi64x(PowerOfX(kBits - 32), PowerOfX(kBits + 32));
  return _mm_xor_si128(
      _mm_xor_si128(_mm_clmulepi64_si128(ahead, k, 0x00), _mm_clmulepi64_si128(ahead, k, 0x11)),
      behind);
}

// Register i of a message, written to the same place of `to` when there is a copy to be made.
struct Registers {
  const __m512i* from;
  __m512i* to;

  SHOAL_FOLD inline __m512i operator[](int i) const {
    const __m512i r = _mm512_loadu_si512(from + i);
    if (to != nullptr) _mm512_storeu_si512(to + i, r);
    return r;
  }
  void Advance(int n) {
    from += n;
    if (to != nullptr) to += n;
  }
};

SHOAL_FOLD inline uint32_t FoldAll(uint32_t crc, Registers m, size_t size) {
  DCHECK_GE(size, kFoldMinBytes);
  __m512i a =
      _mm512_xor_si512(m[0], _mm512_zextsi128_si512(_mm_cvtsi32_si128(static_cast<int>(crc))));
  __m512i b = m[1], c = m[2], d = m[3];
  // Four chains, because a multiplication takes several cycles and one may start in each.
  for (m.Advance(4), size -= 256; size >= 256; m.Advance(4), size -= 256) {
    a = Fold<2048>(a, m[0]);
    b = Fold<2048>(b, m[1]);
    c = Fold<2048>(c, m[2]);
    d = Fold<2048>(d, m[3]);
  }
  a = Fold<512>(Fold<512>(Fold<512>(a, b), c), d);
  for (; size >= 64; m.Advance(1), size -= 64) a = Fold<512>(a, m[0]);
  __m128i lanes[4];
  _mm512_storeu_si512(lanes, a);
  __m128i last = Fold<128>(lanes[0], lanes[1]);
  last = Fold<128>(last, lanes[2]);
  last = Fold<128>(last, lanes[3]);
  // What is left counts as much as the whole message did; its remainder is the register.
  uint64_t rest = _mm_crc32_u64(0, static_cast<uint64_t>(_mm_cvtsi128_si64(last)));
  rest = _mm_crc32_u64(rest, static_cast<uint64_t>(_mm_extract_epi64(last, 1)));
  return static_cast<uint32_t>(rest);
}

}  // namespace

SHOAL_FOLD uint32_t FoldCrc32c(uint32_t crc, const void* data, size_t size) {
  return FoldAll(crc, {static_cast<const __m512i*>(data), nullptr}, size);
}

SHOAL_FOLD uint32_t CopyFoldingCrc32c(uint32_t crc, void* to, const void* from, size_t size) {
  return FoldAll(crc, {static_cast<const __m512i*>(from), static_cast<__m512i*>(to)}, size);
}

#undef SHOAL_FOLD

#else

bool HaveCrc32cFold() { return false; }

uint32_t FoldCrc32c(uint32_t, const void*, size_t) {
  CHECK(false) << "this CPU cannot fold";
  return 0;
}
uint32_t CopyFoldingCrc32c(uint32_t crc, void*, const void* from, size_t size) {
  return FoldCrc32c(crc, from, size);
}

#endif

}  // namespace shoal::internal
