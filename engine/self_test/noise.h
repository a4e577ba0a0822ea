// Numbers that are the same on every machine.
#pragma once

#include <cstdint>

#include "tyto/tensor.h"

namespace tyto {

// F32, uniform between the two.
Tensor noise(const Shape& shape, uint32_t seed, float low, float high);

}  // namespace tyto
