// Mirrors images left to right, for flip averaging.
#pragma once

#include <cstdint>

#include "kernels/common/stream.h"

namespace tyto::kernels {

// in, out  [rows, width] each, for example [n, c, h, w] with rows = n * c * h; not in place
void flip_horizontal_cpu(const float* in, int64_t rows, int64_t width, float* out);

// On CUDA, from and to device memory.
void flip_horizontal(const float* in, int64_t rows, int64_t width, float* out, Stream);

}  // namespace tyto::kernels
