// Two arrays combined element by element, each repeated along the dimensions that it lacks (NumPy's and
// torch's broadcasting).
#pragma once

#include <cstdint>
#include <span>

#include "kernels/common/activation.h"
#include "kernels/common/element_types.h"
#include "kernels/common/stream.h"
#include "kernels/common/strided_box.h"

namespace tyto::kernels {

enum class BinaryOp : uint8_t { Add, Sub, Mul };

// The box of a [a's sizes] op b [b's sizes] into a dense y, for arrays a, b and y in this order, all of them
// dense and outermost first. Sizes are aligned at the innermost; of two that differ one is 1, or missing.
// std::invalid_argument where they are not so, and for more than kMaxRank dimensions.
StridedBox<3> broadcast_box(std::span<const int64_t> a, std::span<const int64_t> b);

// y = activation(a op b), in fp32. Exists for float, Half and BFloat16.
// box   strides of a, b and y; no two positions share an element of y. Dimensions need not be merged.
// y     may be a or b if its strides are y's
// The elements of each lie below 2^31, else DeviceError. Fast where the strides of the innermost dimension
// are 1, or 0 for one of a and b, and 16 bytes divide its size and the other strides.
template <class T>
void broadcast(const T* a, const T* b, const StridedBox<3>& box, BinaryOp op, Activation activation, T* y,
               Stream stream);

}  // namespace tyto::kernels
