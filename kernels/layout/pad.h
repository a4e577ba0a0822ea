// Borders around a map (torch.nn.functional.pad), and cuts into it. cuDNN's fast engines want the same
// padding of zeros on all sides.
#pragma once

#include <cstdint>

#include "kernels/common/channel_blocks.h"
#include "kernels/common/element_types.h"
#include "kernels/common/nhwc.h"
#include "kernels/common/stream.h"

namespace tyto::kernels {

enum class PadMode : uint8_t {
  Zeros,
  Reflect,    // about the edge's pixel, which is not repeated: every border is thinner than the map
  Replicate,  // the edge's pixel; the map has one
};

struct Border {
  int64_t top = 0, left = 0;  // of any sign; those of the other sides follow from y's size
  PadMode mode = PadMode::Zeros;
};

// y[i, r, s] = x[i, r - top, s - left], and by the mode where x has no such pixel. x [n, c, H, W] and y [n,
// c, h, w] are blocked alike. std::invalid_argument for a map too small to be reflected or replicated.
void pad_cpu(const ChannelBlocks<const float>& x, const Border& border, const ChannelBlocks<float>& y);

// The same on CUDA, for float, Half and BFloat16; errors likewise.
// y   n and channels like x; must not overlap x
// x.elements(), y.elements() < 2^31, else DeviceError.
template <class T>
void pad(Nhwc<const T> x, const Border& border, Nhwc<T> y, Stream stream);

}  // namespace tyto::kernels
