// Refusing NaN and infinity where they enter.
#pragma once

#include <string>

#include "tyto/tensor.h"

namespace tyto {

// Error{Format} that names the file and the tensor if a floating-point value is not finite. Integers pass.
void check_finite(const Tensor& tensor, const std::string& name, const std::string& origin);

}  // namespace tyto
