// How far two correct computations of one sum may lie apart. All tolerances of selftest and the tests come
// from here.
#pragma once

#include <cmath>

#include "tyto/plan.h"

namespace tyto {

// Unit roundoff of the operands that are multiplied; sums are always kept in fp32.
inline double unit_roundoff(Precision precision) {
  switch (precision) {
    case Precision::Fp32:
      return std::ldexp(1.0, -24);
    case Precision::Tf32:
      return std::ldexp(1.0, -11);
    case Precision::Fp16:
      return std::ldexp(1.0, -11);
    case Precision::Bf16:
      return std::ldexp(1.0, -9);
  }
  return 0;
}

// For `layers` sums of up to `terms` products each, relative to the largest result. Rounding errors of a sum
// grow like the square root of its length (Higham, Accuracy and Stability of Numerical Algorithms, 2002,
// section 4.2), those of layers in sequence likewise; the factor covers the largest of a million results
// (five standard deviations) and Winograd's transforms (about five times direct; Lavin and Gray, CVPR 2016).
inline double sum_tolerance(Precision precision, double terms, double layers, bool winograd = false) {
  const double fp32 = unit_roundoff(Precision::Fp32) * std::sqrt(terms);
  const double operands = precision == Precision::Fp32 ? 0 : 2 * unit_roundoff(precision);
  return 5 * (winograd ? 5 : 1) * std::sqrt(layers) * (fp32 + operands);
}

}  // namespace tyto
