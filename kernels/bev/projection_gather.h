// Points in space looked up in the maps of all cameras that see them: what lifts features without depth
// (M2BEV, Fast-BEV), maps the ground (VectorMapNet) and reads references of queries (DETR3D).
#pragma once

#include <cstdint>

#include "kernels/bev/cameras.h"
#include "kernels/common/computed.h"
#include "kernels/common/element_types.h"
#include "kernels/common/stream.h"

namespace tyto::kernels {

// A camera sees a point that lies deeper than least_depth and whose pixel (u, v) is in the image.
enum class ImageBounds : uint8_t {
  Open,         // 0 < u < width: VectorMapNet, DETR3D, BEVFormer
  HalfOpen,     // 0 <= u < width
  Closed,       // 0 <= u <= width
  NearestCell,  // the cell that is nearest lies on the map, whatever the image's size: Fast-BEV, M2BEV
  Anywhere,     // depth alone decides
};

enum class GatherSampling : uint8_t {
  NearestEven,  // of two equally near cells the even one: torch's round()
  NearestAway,  // the one farther from 0: C's round(), Fast-BEV's CUDA demo
  Bilinear,     // cells beyond the map are 0
};

enum class GatherReduction : uint8_t {
  Sum,
  Mean,     // over the cameras that see the point
  First,    // the first camera that sees it
  Last,     // the last: Fast-BEV, where later cameras overwrite earlier ones
  Weights,  // the sum of each camera's value times the point's weight for it: DETR3D
};

// The map's cell of a pixel along each axis: pixel * scale + offset, a whole number at a cell's centre.
struct CellOfPixel {
  double scale_x = 1, scale_y = 1, offset_x = 0, offset_y = 0;
  bool operator==(const CellOfPixel&) const = default;
};

// Every `stride`-th pixel is a cell: Fast-BEV, M2BEV.
constexpr CellOfPixel strided_cells(double stride) { return {1 / stride, 1 / stride, 0, 0}; }
// Of pixel / image size, by grid_sample() with align_corners=False: cells are as large as their share of the
// image.
constexpr CellOfPixel cells_by_edges(double image_height, double image_width, int64_t height, int64_t width) {
  return {static_cast<double>(width) / image_width, static_cast<double>(height) / image_height, -0.5, -0.5};
}
// The same with align_corners=True: pixels 0 and size are the centres of the outermost cells.
constexpr CellOfPixel cells_by_corners(double image_height, double image_width, int64_t height,
                                       int64_t width) {
  return {static_cast<double>(width - 1) / image_width, static_cast<double>(height - 1) / image_height, 0, 0};
}

struct ProjectionGather {
  GatherSampling sampling = GatherSampling::Bilinear;
  GatherReduction reduction = GatherReduction::Mean;
  ImageBounds bounds = ImageBounds::Open;
  double image_height = 0, image_width = 0;  // pixels of the network's input, padding included where a
                                             // network counts it; where the bounds end
  double least_depth = 0;                    // metres; a point at this depth is not seen
  double pixel_shift = 0;                    // added to u and v: VectorMapNet's 1e-9
  CellOfPixel cell;
  bool operator==(const ProjectionGather&) const = default;
};

// One reads <const T>. Channels last.
template <class E>
struct CameraMaps {
  E* data = nullptr;         // [samples * cameras, height, width, channels]
  int64_t pixel_stride = 0;  // elements from pixel to pixel, at least the channels
  int64_t samples = 0, cameras = 0, height = 0, width = 0, channels = 0;
};

template <class C>
struct GatherPoints {
  const C* data = nullptr;  // [count, 3], or [samples, count, 3]: x, y, z in the grid's frame, metres
  int64_t count = 0;        // of a sample
  bool shared = true;       // by all samples
};

template <class T>
struct GatheredRows {
  T* data = nullptr;         // [samples, points, channels]
  int64_t row_stride = 0;    // elements from row to row, at least the channels: rows may be parts of longer
                             // ones
  uint64_t* seen = nullptr;  // [samples, points]: bit k is set where camera k sees the point; how many do is
                             // the number of bits. Null: not wanted
};

inline constexpr int64_t kMaxGatherCameras = 64;  // of a sample

// out[sample, point] = the reduction of maps[camera] at the point's cell over the cameras that see it, and 0
// where none does. T: double, float, Half, BFloat16; projections are made in double and used in Computed<T>,
// in which values are summed, too. Points that are not finite are seen by none.
//
// cameras    as many samples and cameras as maps have, at most kMaxGatherCameras
// weights    [samples, points, cameras], of Weights; else null
// out        written whole, what lies between rows left alone; must not overlap an input
// workspace  of these bytes
//
// The CPU and CUDA give the same bits. On CUDA maps, and rows times row_stride, have fewer than 2^31
// elements, else DeviceError. No allocation, no host synchronisation.
template <class T, class M>  // M: double, float
void projection_gather_cpu(const CameraMatrices<M>&, const CameraMaps<const T>& maps,
                           const GatherPoints<Computed<T>>& points, const T* weights, const ProjectionGather&,
                           const GatheredRows<T>& out, void* workspace);
template <class T>
int64_t projection_gather_cpu_workspace(int64_t samples, int64_t cameras);

template <class T, class M>
void projection_gather(const CameraMatrices<M>&, const CameraMaps<const T>& maps,
                       const GatherPoints<Computed<T>>& points, const T* weights, const ProjectionGather&,
                       const GatheredRows<T>& out, void* workspace, Stream);
template <class T>
int64_t projection_gather_workspace(int64_t samples, int64_t cameras);

}  // namespace tyto::kernels
