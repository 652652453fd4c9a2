#ifndef SHOAL_RUNTIME_SAMPLING_LOG_H_
#define SHOAL_RUNTIME_SAMPLING_LOG_H_

#include <bit>
#include <cstdint>

namespace shoal {

inline constexpr double kLn2 = 0x1.62e42fefa39efp-1;
inline constexpr double kLog2E = 0x1.71547652b82fep+0;

// ln x for a normal x > 0, the same bits on every machine (rule N7: libm's result differs between
// its versions). x = 2^n m with m in [3/4, 3/2); ln m = 2 atanh((m - 1) / (m + 1)) by its series,
// whose rest after the tenth term is below 2^-52 of the sum.
inline double Log(double x) {
  const auto bits = std::bit_cast<uint64_t>(x);
  auto n = static_cast<int>(bits >> 52) - 1023;
  double m = std::bit_cast<double>((bits & ((uint64_t{1} << 52) - 1)) | (uint64_t{1023} << 52));
  if (m >= 1.5) {
    m *= 0.5;
    ++n;
  }
  const double s = (m - 1) / (m + 1), square = s * s;  // |s| <= 1/5
  double sum = 0;
  for (int k = 21; k >= 1; k -= 2) sum = sum * square + 1.0 / k;
  return n * kLn2 + 2 * s * sum;
}

}  // namespace shoal

#endif  // SHOAL_RUNTIME_SAMPLING_LOG_H_
