#include <algorithm>
#include <bit>

#include "kernels/bev/projection_gather_math.h"
#include "kernels/common/multiversion.h"
#include "kernels/common/workspace.h"
#include "kernels/image/cell_sums_cpu.h"

namespace tyto::kernels {
namespace {

constexpr int64_t kPoints = 64;  // looked up at a time

// Points of a strip by axis, so that vectors hold neighbours; those behind the last are copies of it.
template <class C>
struct PointStrip {
  C axis[3][kPoints];
};

template <GatherSampling kSampling, class C>
[[gnu::always_inline]] inline void look_up_strip(const Projection<C>& camera, const SightRules<C>& rules,
                                                 const PointStrip<C>& points, C* x, C* y) {
  for (int64_t i = 0; i < kPoints; ++i) {
    const C point[3] = {points.axis[0][i], points.axis[1][i], points.axis[2][i]};
    look_up(camera, rules, kSampling, point, x[i], y[i]);
  }
}

#define TYTO_OF(C)                                                                                          \
  TYTO_MULTIVERSION void look_up_points(const Projection<C>& camera, const SightRules<C>& rules,            \
                                        GatherSampling sampling, const PointStrip<C>& points, C* x, C* y) { \
    if (sampling == GatherSampling::Bilinear)                                                               \
      look_up_strip<GatherSampling::Bilinear>(camera, rules, points, x, y);                                 \
    else if (sampling == GatherSampling::NearestEven)                                                       \
      look_up_strip<GatherSampling::NearestEven>(camera, rules, points, x, y);                              \
    else                                                                                                    \
      look_up_strip<GatherSampling::NearestAway>(camera, rules, points, x, y);                              \
  }
TYTO_OF(double)
TYTO_OF(float)
#undef TYTO_OF

}  // namespace

template <class T, class M>
void projection_gather_cpu(const CameraMatrices<M>& cameras, const CameraMaps<const T>& maps,
                           const GatherPoints<Computed<T>>& points, const T* weights,
                           const ProjectionGather& gather, const GatheredRows<T>& out, void* workspace) {
  using C = Computed<T>;
  auto* projections = Workspace(workspace).take<Projection<C>>(maps.samples * maps.cameras);
  for (int64_t i = 0; i < maps.samples * maps.cameras; ++i) projections[i] = projection_in<C>(cameras, i);
  const auto rules = sight_rules<C>(gather, maps.height, maps.width);
  const auto height = static_cast<int>(maps.height), width = static_cast<int>(maps.width);
  const int cells = gather.sampling == GatherSampling::Bilinear ? 2 : 1;
  const int64_t strips = (points.count + kPoints - 1) / kPoints, work = maps.samples * strips;
#pragma omp parallel for schedule(dynamic)
  for (int64_t w = 0; w < work; ++w) {
    const int64_t sample = w / strips, begin = w % strips * kPoints;
    const int64_t count = std::min(kPoints, points.count - begin);
    const C* from = points.data + 3 * ((points.shared ? 0 : sample * points.count) + begin);
    PointStrip<C> strip;
    for (int64_t i = 0; i < kPoints; ++i)
      for (int axis = 0; axis < 3; ++axis) strip.axis[axis][i] = from[3 * std::min(i, count - 1) + axis];

    const Projection<C>* rig = projections + sample * maps.cameras;
    C x[kMaxGatherCameras][kPoints], y[kMaxGatherCameras][kPoints];
    uint64_t seen[kPoints] = {};
    for (int64_t k = 0; k < maps.cameras; ++k) {
      look_up_points(rig[k], rules, gather.sampling, strip, x[k], y[k]);
      for (int64_t i = 0; i < kPoints; ++i) seen[i] |= static_cast<uint64_t>(x[k][i] == x[k][i]) << k;
    }

    for (int64_t i = 0; i < count; ++i) {
      const int64_t row = sample * points.count + begin + i;
      if (out.seen != nullptr) out.seen[row] = seen[i];
      const uint64_t chosen = chosen_cameras(seen[i], gather.reduction);
      CellList<C, 4 * kMaxGatherCameras> list;
      for (uint64_t left = chosen; left != 0; left &= left - 1) {
        const int k = std::countr_zero(left);
        list.add(gathered_cells(y[k][i], height, gather.sampling),
                 gathered_cells(x[k][i], width, gather.sampling), cells, maps.width, maps.pixel_stride,
                 (sample * maps.cameras + k) * maps.height * maps.width * maps.pixel_stride,
                 gather.reduction == GatherReduction::Weights ? host_element(weights, row * maps.cameras + k)
                                                              : C(1));
      }
      const bool mean = gather.reduction == GatherReduction::Mean && seen[i] != 0;
      const C share = mean ? C(1) / static_cast<C>(std::popcount(seen[i])) : C(1);
      const CellSum<T> sum = {list.offset, list.weight, list.count, share};
      sum_cells(maps.data, &sum, 1, maps.channels, host_address(out.data, row * out.row_stride));
    }
  }
}

template <class T>
int64_t projection_gather_cpu_workspace(int64_t samples, int64_t cameras) {
  Workspace measure;
  measure.take<Projection<Computed<T>>>(samples * cameras);
  return measure.bytes();
}

#define TYTO_OF_MATRICES(T, M)                                                                             \
  template void projection_gather_cpu(const CameraMatrices<M>&, const CameraMaps<const T>&,                \
                                      const GatherPoints<Computed<T>>&, const T*, const ProjectionGather&, \
                                      const GatheredRows<T>&, void*);
#define TYTO_OF(T)                                                       \
  template int64_t projection_gather_cpu_workspace<T>(int64_t, int64_t); \
  TYTO_OF_MATRICES(T, double)                                            \
  TYTO_OF_MATRICES(T, float)
TYTO_OF(double)
TYTO_OF(float)
TYTO_OF(Half)
TYTO_OF(BFloat16)
#undef TYTO_OF
#undef TYTO_OF_MATRICES

}  // namespace tyto::kernels
