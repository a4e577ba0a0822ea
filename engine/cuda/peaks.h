// The current GPU's peaks, measured.
#pragma once

#include "engine/cuda/libraries.h"
#include "engine/cuda/runtime.h"
#include "tyto/plan.h"

namespace tyto::cuda {

double peak_flops(Libraries& libraries, const Stream& stream, Precision precision);  // cuBLASLt's
double peak_bandwidth(const Stream& stream);                                         // of a copy

}  // namespace tyto::cuda
