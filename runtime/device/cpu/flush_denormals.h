#ifndef SHOAL_RUNTIME_DEVICE_CPU_FLUSH_DENORMALS_H_
#define SHOAL_RUNTIME_DEVICE_CPU_FLUSH_DENORMALS_H_

#include <xmmintrin.h>

namespace shoal::cpu {

// Denormals in and out are zero (rules N1, N7) and rounding is to nearest even, in this thread,
// while this lives; the thread's own settings come back afterwards. The tile unit does the same
// always, whatever MXCSR says.
class FlushDenormals {
 public:
  FlushDenormals() : saved_(_mm_getcsr()) {
    constexpr unsigned kDenormalsAreZero = 0x0040, kFlushToZero = 0x8000, kRounding = 0x6000;
    _mm_setcsr((saved_ & ~kRounding) | kDenormalsAreZero | kFlushToZero);
  }
  ~FlushDenormals() { _mm_setcsr(saved_); }
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  const unsigned saved_;
};

}  // namespace shoal::cpu

#endif  // SHOAL_RUNTIME_DEVICE_CPU_FLUSH_DENORMALS_H_
