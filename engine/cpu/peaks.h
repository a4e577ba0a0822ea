// The CPU's peaks, measured with as many OpenMP threads as the calling thread's work has.
#pragma once

#include <oneapi/dnnl/dnnl.hpp>

#include "tyto/plan.h"

namespace tyto::cpu {

double peak_flops(const dnnl::engine& engine, dnnl::stream& stream, Precision precision);  // fp32 or bf16
double peak_bandwidth();  // bytes a second of a triad, a = b + c * s

}  // namespace tyto::cpu
