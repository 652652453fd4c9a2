#ifndef SHOAL_RUNTIME_DEVICE_CPU_LANE_MATH_H_
#define SHOAL_RUNTIME_DEVICE_CPU_LANE_MATH_H_

#include <cstdint>

namespace shoal::cpu {

// e^x = 2^n e^r with n = round(x / ln 2), |r| <= ln 2 / 2, and e^r by its Taylor polynomial of
// degree 7, whose remainder (5e-9) is below half a unit in the last place. The constants enter the
// numerics id.
struct ExpConstants {
  static constexpr float kLog2E = 0x1.715476p+0f;
  static constexpr float kLn2High = 0x1.62e4p-1f;  // 14 bits: n * kLn2High is exact
  static constexpr float kLn2Low = 0x1.7f7d1cp-20f;
  // Adding and taking away 1.5 * 2^23 rounds to a whole number, to nearest even.
  static constexpr float kRound = 0x1.8p+23f;
  // Below kLowest the result would be denormal: it is +0. Above kHighest it stays at e^88, so that
  // 2^n is finite.
  static constexpr float kLowest = -87.0f;
  static constexpr float kHighest = 88.0f;
  static constexpr float kTaylor[] = {1.0f / 5040, 1.0f / 720, 1.0f / 120, 1.0f / 24,
                                      1.0f / 6,    0.5f,       1.0f,       1.0f};
};

// x[i] = e^x[i], within 2 units in the last place for kLowest <= x <= kHighest; e^-inf = 0, NaN
// stays NaN. Step by step for all N: one alone is a chain of twenty operations that wait for each
// other.
template <class V, int N>
[[gnu::always_inline]] inline void ExpAll(typename V::F (&x)[N]) {
  using C = ExpConstants;
  using F = typename V::F;
  F r[N], n[N], p[N];
#define SHOAL_ALL _Pragma("GCC unroll 8") for (int i = 0; i < N; ++i)
  SHOAL_ALL r[i] = V::Max(V::Set(C::kLowest), V::Min(V::Set(C::kHighest), x[i]));
  SHOAL_ALL n[i] = V::Fma(r[i], V::Set(C::kLog2E), V::Set(C::kRound));
  SHOAL_ALL n[i] = V::Sub(n[i], V::Set(C::kRound));
  SHOAL_ALL r[i] = V::Fma(n[i], V::Set(-C::kLn2High), r[i]);
  SHOAL_ALL r[i] = V::Fma(n[i], V::Set(-C::kLn2Low), r[i]);
  SHOAL_ALL p[i] = V::Fma(V::Set(C::kTaylor[0]), r[i], V::Set(C::kTaylor[1]));
#pragma GCC unroll 8
  for (int k = 2; k < 8; ++k) {
    SHOAL_ALL p[i] = V::Fma(p[i], r[i], V::Set(C::kTaylor[k]));
  }
  SHOAL_ALL p[i] = V::Mul(p[i], V::PowerOfTwo(n[i]));
  SHOAL_ALL x[i] = V::ZeroIfLess(p[i], x[i], V::Set(C::kLowest));
#undef SHOAL_ALL
}

template <class V>
typename V::F Exp(typename V::F x) {
  typename V::F one[1] = {x};
  ExpAll<V>(one);
  return one[0];
}

// 1 / (1 + e^-x).
template <class V>
typename V::F Sigmoid(typename V::F x) {
  const auto one = V::Set(1);
  return V::Div(one, V::Add(one, Exp<V>(V::Sub(V::Zero(), x))));
}

// x / (1 + e^-x), one division.
template <class V>
typename V::F Silu(typename V::F x) {
  return V::Div(x, V::Add(V::Set(1), Exp<V>(V::Sub(V::Zero(), x))));
}

// Calls body(i, n) for the lanes of each step: n == 16, and less in the last. Both are compile-time
// simple for the common case.
template <class V, class Body>
void ForLanes(int64_t size, Body body) {
  int64_t i = 0;
  for (; i + 16 <= size; i += 16) body(i, 16);
  if (i < size) body(i, static_cast<int>(size - i));
}

template <class V, class T>
typename V::F LoadUpTo(const T* p, int n) {
  return n == 16 ? V::Load(p) : V::LoadN(p, n);
}
template <class V, class T>
void StoreUpTo(T* p, typename V::F x, int n) {
  if (n == 16) {
    V::Store(p, x);
  } else {
    V::StoreN(p, x, n);
  }
}

}  // namespace shoal::cpu

#endif  // SHOAL_RUNTIME_DEVICE_CPU_LANE_MATH_H_
