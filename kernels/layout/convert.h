// Between element types.
#pragma once

#include <cstdint>

#include "kernels/common/element_types.h"
#include "kernels/common/stream.h"

namespace tyto::kernels {

// Rounds to nearest, ties to even; what fp16 cannot hold becomes infinite. Exists for float, Half and
// BFloat16, each to itself, to float and from float. from, to  [count]; they may be the same array if the
// types are
template <class From, class To>
void convert(const From* from, int64_t count, To* to, Stream stream);

}  // namespace tyto::kernels
