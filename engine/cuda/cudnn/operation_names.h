// An operation in one line: in messages, and as the tuning cache's key.
#pragma once

#include <string>

#include "engine/cuda/convolution.h"
#include "engine/cuda/matrix_product.h"

namespace tyto::cuda {

std::string name_of(
    const ConvolutionSpec& spec);  // "fp16 convolution 8x56x56x64 -> 8x56x56x64, kernel 3, ..., bias"
std::string name_of(
    const MatrixProductSpec& spec);  // "tf32 matrix product 8x2048 -> 8x512, b transposed, bias, relu"

}  // namespace tyto::cuda
