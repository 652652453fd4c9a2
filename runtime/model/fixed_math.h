#ifndef SHOAL_RUNTIME_MODEL_FIXED_MATH_H_
#define SHOAL_RUNTIME_MODEL_FIXED_MATH_H_

namespace shoal {

// Double-precision functions for tables that must come out the same bits everywhere (numerics rule
// N7): made of IEEE +, -, * and / in a fixed order, so no libm, compiler or CPU has a say.  Good to
// about 1e-15 relative (sin and cos: absolute), far below the float32 that the tables are rounded
// to.
double FixedExp(double x);  // |x| <= 700
double FixedLog(double x);  // normal positive x

struct SinCos {
  double sin, cos;
};
SinCos FixedSinCos(double x);  // 0 <= x <= 2^20

}  // namespace shoal

#endif  // SHOAL_RUNTIME_MODEL_FIXED_MATH_H_
