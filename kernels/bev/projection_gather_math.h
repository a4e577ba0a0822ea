// Where cameras see points, shared by CPU and CUDA: compile without fused multiply-add. C: float or double.
#pragma once

#include <cmath>
#include <limits>

#include "kernels/bev/camera_math.h"
#include "kernels/bev/projection_gather.h"
#include "kernels/common/host_device.h"
#include "kernels/image/grid_sample_math.h"

namespace tyto::kernels {

template <class C, class M>
TYTO_HOST_DEVICE inline Projection<C> projection_in(const CameraMatrices<M>& cameras, int64_t camera) {
  const auto exact = projection_of<M, double>(
      cameras.intrinsics + 9 * camera, cameras.camera_to_grid + 16 * camera,
      cameras.image_augmentation == nullptr ? nullptr : cameras.image_augmentation + 9 * camera);
  Projection<C> projection;
  for (int i = 0; i < 9; ++i) projection.linear[i] = static_cast<C>(exact.linear[i]);
  for (int i = 0; i < 3; ++i) projection.offset[i] = static_cast<C>(exact.offset[i]);
  return projection;
}

// What ProjectionGather says, in C and of one form: a point is seen if its depth is above least_depth and its
// pixel, or its nearest cell, lies between `low` and `high`, which are excluded.
template <class C>
struct SightRules {
  C least_depth, shift, scale[2], offset[2], low[2], high[2];  // x, then y
  bool of_cell;
};

template <class C>
SightRules<C> sight_rules(const ProjectionGather& p, int64_t height, int64_t width) {
  constexpr C kLeast = std::numeric_limits<C>::denorm_min(), kInfinity = std::numeric_limits<C>::infinity();
  const auto image_width = static_cast<C>(p.image_width), image_height = static_cast<C>(p.image_height);
  SightRules<C> rules = {static_cast<C>(p.least_depth),
                         static_cast<C>(p.pixel_shift),
                         {static_cast<C>(p.cell.scale_x), static_cast<C>(p.cell.scale_y)},
                         {static_cast<C>(p.cell.offset_x), static_cast<C>(p.cell.offset_y)},
                         {0, 0},
                         {image_width, image_height},
                         false};
  const auto limits = [&](C low, C high_x, C high_y) {
    rules.low[0] = rules.low[1] = low;
    rules.high[0] = high_x;
    rules.high[1] = high_y;
  };
  switch (p.bounds) {
    case ImageBounds::Open:
      break;
    case ImageBounds::HalfOpen:
      limits(-kLeast, image_width, image_height);
      break;
    case ImageBounds::Closed:
      limits(-kLeast, std::nextafter(image_width, kInfinity), std::nextafter(image_height, kInfinity));
      break;
    case ImageBounds::NearestCell:
      rules.of_cell = true;
      limits(C(-0.5), static_cast<C>(width) - C(0.5), static_cast<C>(height) - C(0.5));
      break;
    case ImageBounds::Anywhere:
      limits(-kInfinity, kInfinity, kInfinity);
  }
  return rules;
}

// To a whole number, halves away from 0.
template <class C>
TYTO_HOST_DEVICE inline C rounded_away(C v) {
  const C whole = std::trunc(v), rest = v - whole;
  return whole + (rest >= C(0.5) ? C(1) : C(0)) - (rest <= C(-0.5) ? C(1) : C(0));
}

template <class C>
TYTO_HOST_DEVICE inline C nearest_cell_of(C at, GatherSampling sampling) {
  return sampling == GatherSampling::NearestAway ? rounded_away(at) : std::rint(at);
}

// A point's cell in a camera's map, rounded where the nearest is taken. NaN in x where the camera does not
// see the point.
template <class C>
TYTO_HOST_DEVICE inline void look_up(const Projection<C>& camera, const SightRules<C>& rules,
                                     GatherSampling sampling, const C (&point)[3], C& x, C& y) {
  C seen[3];
  camera.homogeneous(point, seen);
  const C u = seen[0] / seen[2] + rules.shift, v = seen[1] / seen[2] + rules.shift;
  const C exact_x = u * rules.scale[0] + rules.offset[0], exact_y = v * rules.scale[1] + rules.offset[1];
  const C nearest_x = nearest_cell_of(exact_x, sampling), nearest_y = nearest_cell_of(exact_y, sampling);
  const C bound_x = rules.of_cell ? nearest_x : u, bound_y = rules.of_cell ? nearest_y : v;
  const bool inside = (seen[2] > rules.least_depth) & (bound_x > rules.low[0]) & (bound_x < rules.high[0]) &
                      (bound_y > rules.low[1]) & (bound_y < rules.high[1]);
  const bool bilinear = sampling == GatherSampling::Bilinear;
  x = inside ? (bilinear ? exact_x : nearest_x) : std::numeric_limits<C>::quiet_NaN();
  y = bilinear ? exact_y : nearest_y;
}

TYTO_HOST_DEVICE inline uint64_t lowest_bit(uint64_t bits) { return bits & (~bits + 1); }
TYTO_HOST_DEVICE inline uint64_t highest_bit(uint64_t bits) {
  for (int shift = 1; shift < 64; shift *= 2) bits |= bits >> shift;
  return bits ^ (bits >> 1);
}

// Of the cameras that see a point, those whose samples count.
TYTO_HOST_DEVICE inline uint64_t chosen_cameras(uint64_t seen, GatherReduction reduction) {
  return reduction == GatherReduction::First  ? lowest_bit(seen)
         : reduction == GatherReduction::Last ? highest_bit(seen)
                                              : seen;
}

// The cells of a camera that sees the point.
template <class C>
TYTO_HOST_DEVICE inline AxisCells<C> gathered_cells(C at, int size, GatherSampling sampling) {
  return sampling == GatherSampling::Bilinear ? bilinear_cells(at, size) : nearest_cells(at, size);
}

}  // namespace tyto::kernels
