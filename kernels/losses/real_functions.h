// e^x and log x of what a loss computes in: of float by vectorisable arithmetic, the same bits on every
// device where no multiply-add is fused.
#pragma once

#include <cmath>

#include "kernels/common/exponential.h"
#include "kernels/common/logarithm.h"

namespace tyto::kernels {

[[gnu::always_inline]] TYTO_HOST_DEVICE inline float exp_of(float x) { return exponential(x); }
[[gnu::always_inline]] TYTO_HOST_DEVICE inline double exp_of(double x) { return std::exp(x); }
[[gnu::always_inline]] TYTO_HOST_DEVICE inline float log_of(float x) { return logarithm(x); }
[[gnu::always_inline]] TYTO_HOST_DEVICE inline double log_of(double x) { return std::log(x); }

}  // namespace tyto::kernels
