// How far two correct computations of one sum may lie apart. All tolerances of selftest and the tests come
// from here.
#pragma once

#include <cmath>

#include "tyto/plan.h"

namespace tyto {

// Unit roundoff: how far rounding to nearest moves a number at most, relative to it; with 24, 11, 11 and 8
// significant bits. fp16 and bf16 round weights, biases and what stands between layers so, tf32 the operands
// of products; sums are always kept in fp32.
inline double unit_roundoff(Precision precision) {
  switch (precision) {
    case Precision::Fp32:
      return std::ldexp(1.0, -24);
    case Precision::Tf32:
      return std::ldexp(1.0, -11);
    case Precision::Fp16:
      return std::ldexp(1.0, -11);
    case Precision::Bf16:
      return std::ldexp(1.0, -8);
  }
  return 0;
}

// For `layers` sums of up to `terms` products each, relative to the largest result. Rounding errors of a sum
// grow like the square root of its length (Higham, Accuracy and Stability of Numerical Algorithms, 2002,
// section 4.2), those of layers in sequence likewise; the factor covers the largest of a million results
// (five standard deviations) and Winograd's transforms (about five times direct; Lavin and Gray, CVPR 2016).
//
// In fp16 and bf16 a layer adds up to four roundings: of its weights, of its bias, of the result as it is
// stored, and of one step behind it (an addition, pooling, an activation that no epilogue applies). The next
// layer reads what is stored as it stands; the network's input is rounded, too, but its last layer has no
// such step. tf32 adds two, of the operands. Each moves a sum by at most a unit roundoff of its size,
// independently of the others: sqrt(4 * layers) of them count.
inline double sum_tolerance(Precision precision, double terms, double layers, bool winograd = false) {
  const double fp32 = unit_roundoff(Precision::Fp32) * std::sqrt(terms);
  const double roundings = precision == Precision::Fp32 ? 0 : 2 * unit_roundoff(precision);
  return 5 * (winograd ? 5 : 1) * std::sqrt(layers) * (fp32 + roundings);
}

}  // namespace tyto
