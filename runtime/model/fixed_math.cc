#include "runtime/model/fixed_math.h"

#include <bit>
#include <cstdint>

namespace shoal {
namespace {

// Constants in pieces whose products with a small integer are exact: the leading pieces have 40 (ln
// 2) and 32 (pi/2) significant bits, so k * piece is exact for |k| < 2^12 and k < 2^20.
constexpr double kLn2[] = {0x1.62e42fefa2000p-1, 0x1.9ef35793c7673p-41};
constexpr double kInvLn2 = 0x1.71547652b82fep+0;
constexpr double kHalfPi[] = {0x1.921fb54400000p+0, 0x1.0b4611a600000p-34, 0x1.3198a2e037073p-69};
constexpr double kTwoOverPi = 0x1.45f306dc9c883p-1;

// sum of x^n / n! for n = first, first + step, ... up to `last`, times sign^(index): Taylor series
// by Horner's rule.
double Taylor(double x_to_step, int first, int step, int last, double sign) {
  double sum = 1;
  for (int n = last; n > first; n -= step) {
    double divisor = 1;
    for (int i = 0; i < step; ++i) divisor *= n - i;
    sum = 1 + sign * x_to_step / divisor * sum;
  }
  return sum;
}

double PowerOfTwo(int64_t k) {
  return std::bit_cast<double>(static_cast<uint64_t>(k + 1023) << 52);
}

}  // namespace

double FixedExp(double x) {
  // x = k ln 2 + r, |r| <= ln 2 / 2.
  const auto k = static_cast<int64_t>(x * kInvLn2 + (x < 0 ? -0.5 : 0.5));
  const double r = (x - static_cast<double>(k) * kLn2[0]) - static_cast<double>(k) * kLn2[1];
  return Taylor(r, 0, 1, 16, 1) * PowerOfTwo(k);
}

double FixedLog(double x) {
  // x = 2^e m with m in [sqrt(1/2), sqrt(2)); ln m = 2 atanh((m - 1) / (m + 1)).
  const auto bits = std::bit_cast<uint64_t>(x);
  int64_t e = static_cast<int64_t>(bits >> 52) - 1023;
  double m = std::bit_cast<double>((bits & 0xfffffffffffffu) | 0x3ff0000000000000u);
  if (m >= 0x1.6a09e667f3bcdp+0) {
    m /= 2;
    ++e;
  }
  const double s = (m - 1) / (m + 1), s2 = s * s;
  double series = 0;  // 1 + s^2/3 + s^4/5 + ...
  for (int n = 23; n >= 1; n -= 2) series = 1.0 / n + s2 * series;
  const auto k = static_cast<double>(e);
  return k * kLn2[0] + (k * kLn2[1] + 2 * s * series);
}

SinCos FixedSinCos(double x) {
  // x = k pi/2 + r, |r| <= pi/4; then a quarter turn k times.
  const auto k = static_cast<int64_t>(x * kTwoOverPi + 0.5);
  const auto n = static_cast<double>(k);
  const double r = ((x - n * kHalfPi[0]) - n * kHalfPi[1]) - n * kHalfPi[2];
  const double r2 = r * r;
  const double s = r * Taylor(r2, 1, 2, 21, -1);
  const double c = Taylor(r2, 0, 2, 20, -1);
  switch (k & 3) {
    case 0:
      return {s, c};
    case 1:
      return {c, -s};
    case 2:
      return {-s, -c};
    default:
      return {-c, s};
  }
}

}  // namespace shoal
