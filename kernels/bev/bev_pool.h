// Bird's-eye-view pooling: features are spread along their rays by a distribution over depth, and what falls
// into a cell is summed (Philion and Fidler, ECCV 2020), without the lifted tensor of points x channels.
#pragma once

#include <cstdint>

#include "kernels/bev/bev_index.h"
#include "kernels/common/channel_blocks.h"
#include "kernels/common/element_types.h"
#include "kernels/common/stream.h"

namespace tyto::kernels {

enum class BevReduction : uint8_t {
  Sum,
  Mean,  // over the cell's points, each counted as one whatever its depth's weight
  Max,   // of depth * feature, a channel at a time; of equal ones the first in the cell's order wins
};
enum class DepthBins : uint8_t {
  First,  // [samples * cameras, bins, height, width]
  Last,   // [samples * cameras, height, width, bins]
};

struct BevPool {
  Frustum frustum;
  BevGrid grid;
  BevReduction reduction = BevReduction::Sum;
  bool logits =
      true;  // depth holds logits, of which the softmax over a pixel's bins is the weights; else weights
  bool operator==(const BevPool&) const = default;
};

// Two maps of each camera. E is T or const T.
template <class E>
struct LiftedMaps {
  E* depth = nullptr;
  DepthBins bins = DepthBins::Last;
  int64_t depth_stride = 0;    // of DepthBins::Last: elements from pixel to pixel, at least the bins
  E* features = nullptr;       // [samples * cameras, height, width, channels]
  int64_t feature_stride = 0;  // elements from pixel to pixel, at least the channels
  int64_t samples = 0, cameras = 0, channels = 0;
};

// out[sample, row, column, level * C + c] = sum over the cell's points of weight * feature, 0 where there are
// none. It is written whole, once. T: double, float, Half, BFloat16; sums are float (of double double), in a
// fixed order, so that results do not depend on threads. A pixel with a NaN among its logits, or with nothing
// but -infinity, has NaN weights: NaN goes to the cells that its points fall into and to no other. Max takes
// the first NaN.
//
// out       samples images of rows x columns with levels * channels channels: channels last (one block) or
// first
//           (blocks of 1); on the CPU blocks of any size
// winners   [samples, cells, channels], of Max: the point that won, (camera, bin, row, column) as in
//           BevIndex::cells, or -1; for the gradient. Null: not wanted
// workspace of these bytes; on the CPU it grows with OpenMP's threads
template <class T>
void bev_pool_cpu(const LiftedMaps<const T>&, const BevIndex&, const BevPool&, const ChannelBlocks<T>& out,
                  int32_t* winners, void* workspace);
template <class T>
int64_t bev_pool_cpu_workspace(const BevPool&, int64_t samples, int64_t cameras, int64_t channels);

template <class T>
void bev_pool(const LiftedMaps<const T>&, const BevIndex&, const BevPool&, const ChannelBlocks<T>& out,
              int32_t* winners, void* workspace, Stream);
template <class T>
int64_t bev_pool_workspace(const BevPool&, int64_t samples, int64_t cameras, int64_t channels);

// Gradients of both maps, of the logits where depth holds logits. They are gathered pixel by pixel, without
// atomics; pixels all of whose points lie outside get 0. The index needs its cells.
//
// gradient   of out, in a layout as out's
// winners    as bev_pool() left them, of Max
// gradients  laid out as the inputs are; written whole, padding between pixels left alone. A null pointer of
//            them is not wanted
//
// On CUDA bins are at most kMostBackwardBins, DeviceError otherwise: a block keeps those of its pixels.
inline constexpr int kMostBackwardBins = 1000;
template <class T>
void bev_pool_backward_cpu(const LiftedMaps<const T>&, const BevIndex&, const BevPool&,
                           const ChannelBlocks<const T>& gradient, const int32_t* winners,
                           const LiftedMaps<T>& gradients, void* workspace);
template <class T>
int64_t bev_pool_backward_cpu_workspace(const BevPool&, int64_t samples, int64_t cameras, int64_t channels);

template <class T>
void bev_pool_backward(const LiftedMaps<const T>&, const BevIndex&, const BevPool&,
                       const ChannelBlocks<const T>& gradient, const int32_t* winners,
                       const LiftedMaps<T>& gradients, void* workspace, Stream);
template <class T>
int64_t bev_pool_backward_workspace(const BevPool&, int64_t samples, int64_t cameras, int64_t channels);

}  // namespace tyto::kernels
