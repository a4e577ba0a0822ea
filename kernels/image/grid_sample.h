// Maps read at given places between their cells (torch.nn.functional.grid_sample, two dimensions).
#pragma once

#include <cstdint>

#include "kernels/common/channel_blocks.h"
#include "kernels/common/computed.h"
#include "kernels/common/element_types.h"
#include "kernels/common/nhwc.h"
#include "kernels/common/stream.h"

namespace tyto::kernels {

enum class Interpolation : uint8_t {
  Nearest,   // of two equally near cells the even one
  Bilinear,  // of two cells along each axis
  Bicubic,   // of four, with torch's constant -0.75
};

// What stands beyond a map. Zeros and Border are laid around it cell by cell; a position is reflected about
// the centres of the outermost cells where corners are aligned, else about their outer edges.
enum class SamplePadding : uint8_t { Zeros, Border, Reflection };

struct GridSample {
  Interpolation interpolation = Interpolation::Bilinear;
  SamplePadding padding = SamplePadding::Zeros;
  bool align_corners = false;  // -1 and 1 are the centres of the outermost cells; else their outer edges
  bool operator==(const GridSample&) const = default;
};

// y[i, c, r, s] = x[i, c] at grid[i, r, s]. Positions are computed as torch does, so that nearest cells are
// the same; sums run row by row. A position that is not finite, as torch on CUDA has it: beyond the map for
// Zeros, cell 0 for the others, and NaN of Bicubic. (torch on the CPU also gives NaN of Bilinear with Zeros.)
//
// T     double, float, Half, BFloat16
// x     [n, channels, H, W], H and W at least 1
// grid  [n, h, w, 2]: x, then y; not rounded to halves
// y     [n, channels, h, w], blocked as x is; must not overlap x
template <class T>
void grid_sample_cpu(const ChannelBlocks<const T>& x, const Computed<T>* grid, const GridSample&,
                     const ChannelBlocks<T>& y);

// The same on CUDA, the same bits. x.elements(), y.elements() < 2^31, else DeviceError.
template <class T>
void grid_sample(const Nhwc<const T>& x, const Computed<T>* grid, const GridSample&, const Nhwc<T>& y,
                 Stream);

}  // namespace tyto::kernels
