// A copy between two strided arrays: what permuting, slicing, concatenating and expanding come to.
#pragma once

#include "kernels/common/stream.h"
#include "kernels/common/strided_box.h"

namespace tyto::kernels {

// y's element at each position of the box = x's, bit for bit.
// element_bytes  2 or 4, of both; else DeviceError
// box            strides of x and y, its dimensions in any order, none of them merged. No two positions share
//                an element of y; x may repeat by strides of 0. x and y must not overlap.
// The elements of each lie below 2^31, else DeviceError. Fastest where the strides of one dimension are 1 in
// both and 16 bytes divide its size, the other strides and both addresses.
void strided_copy(const void* x, int element_bytes, const StridedBox<2>& box, void* y, Stream stream);

}  // namespace tyto::kernels
