// Projection gather: a block owns 32 points of a sample. Its threads look the points up in all cameras, a
// pair each; then every group of up to 32 lanes takes a point, visits the cameras that see it and sums their
// cells, a pack of channels a lane. Positions never leave shared memory.
//
// Cost of Fast-BEV's M0 (200 x 200 x 4 points, 6 maps of 64 x 176 x 64, nearest, fp16): 20.5 MB of rows
// written, 8.7 MB of maps and 1.9 MB of points read; a point has one cell of 128 bytes, which neighbours
// share. Projections are 960,000 pairs of 25 operations and two quotients, a hundredth of the time.
#include "kernels/bev/projection_gather.h"

#include <algorithm>

#include "kernels/bev/projection_gather_math.h"
#include "kernels/common/launch.h"
#include "kernels/common/workspace.h"
#include "kernels/image/sample_cells.cuh"

namespace tyto::kernels {
namespace {

constexpr int kGatherBlock = 256, kGatherPoints = 32, kCameraBlock = 32;
constexpr int kGatherBlocks = 4;  // of an SM: 64 registers a thread

// A thread a camera.
template <class M, class C>
__global__ void __launch_bounds__(kCameraBlock)
    project_cameras_kernel(CameraMatrices<M> cameras, int count, Projection<C>* __restrict__ projections) {
  const int camera = static_cast<int>(blockIdx.x) * kCameraBlock + static_cast<int>(threadIdx.x);
  if (camera < count) projections[camera] = projection_in<C>(cameras, camera);
}

// What does not depend on the block.
template <class T>
struct Gather {
  SightRules<Computed<T>> rules;
  GatherSampling sampling;
  GatherReduction reduction;
  int cameras, height, width, channels, pixel_stride, count, blocks;  // blocks: of a sample
  int point_step, row_stride;  // points from one sample's to the next one's
};

template <class T, int N>
__global__ void __launch_bounds__(kGatherBlock, kGatherBlocks)
    projection_gather_kernel(const Projection<Computed<T>>* __restrict__ projections,
                             const T* __restrict__ maps, const Computed<T>* __restrict__ points,
                             const T* __restrict__ weights, Gather<T> g, T* __restrict__ out,
                             uint64_t* __restrict__ seen) {
  using C = Computed<T>;
  TYTO_SHARED_ARRAY(C, place, 3 * kGatherPoints);
  TYTO_SHARED_ARRAY(uint64_t, chosen, kGatherPoints);
  TYTO_SHARED_ARRAY(C, share, kGatherPoints);  // of a sample's value in the point's
  TYTO_SHARED_DYNAMIC(C, pairs);
  const int planes = g.cameras * kGatherPoints;
  C *x = pairs, *y = pairs + planes;

  const int thread = static_cast<int>(threadIdx.y * blockDim.x + threadIdx.x);
  const int sample = static_cast<int>(blockIdx.x) / g.blocks,
            begin = static_cast<int>(blockIdx.x) % g.blocks * kGatherPoints;
  const int count = std::min(g.count - begin, int{kGatherPoints});
  if (thread < 3 * count) place[thread] = points[3 * (sample * g.point_step + begin) + thread];
  __syncthreads();

  for (int pair = thread; pair < planes; pair += kGatherBlock) {
    const int i = pair % kGatherPoints;
    if (i >= count) continue;
    const Projection<C>& camera = projections[sample * g.cameras + pair / kGatherPoints];
    const C point[3] = {place[3 * i], place[3 * i + 1], place[3 * i + 2]};
    look_up(camera, g.rules, g.sampling, point, x[pair], y[pair]);
  }
  __syncthreads();

  if (thread < count) {
    uint64_t all = 0;
    for (int k = 0; k < g.cameras; ++k) {
      const C at = x[k * kGatherPoints + thread];
      if (at == at) all |= uint64_t{1} << k;
    }
    chosen[thread] = chosen_cameras(all, g.reduction);
    share[thread] =
        g.reduction == GatherReduction::Mean && all != 0 ? C(1) / static_cast<C>(__popcll(all)) : C(1);
    if (seen != nullptr) seen[int64_t{sample} * g.count + begin + thread] = all;
  }
  __syncthreads();

  for (int i = static_cast<int>(threadIdx.y); i < count; i += static_cast<int>(blockDim.y)) {
    const int row = sample * g.count + begin + i;
    for (int channel = static_cast<int>(threadIdx.x) * N; channel < g.channels;
         channel += static_cast<int>(blockDim.x) * N) {
      C sum[N] = {};
      for (uint64_t left = chosen[i]; left != 0; left &= left - 1) {
        const int k = __ffsll(static_cast<long long>(left)) - 1, pair = k * kGatherPoints + i;
        const auto rows = gathered_cells(y[pair], g.height, g.sampling),
                   columns = gathered_cells(x[pair], g.width, g.sampling);
        const C by = weights == nullptr ? C(1) : computed(weights[int64_t{row} * g.cameras + k]);
        const T* map = maps + (sample * g.cameras + k) * g.height * g.width * g.pixel_stride + channel;
        if (g.sampling == GatherSampling::Bilinear)
          add_cells<2, N>(map, g.width, g.pixel_stride, rows, columns, by, sum);
        else
          add_cells<1, N>(map, g.width, g.pixel_stride, rows, columns, by, sum);
      }
#pragma unroll
      for (int l = 0; l < N; ++l) sum[l] *= share[i];
      store_computed<N>(sum, out + row * g.row_stride + channel);
    }
  }
}

}  // namespace

template <class T, class M>
void projection_gather(const CameraMatrices<M>& cameras, const CameraMaps<const T>& maps,
                       const GatherPoints<Computed<T>>& points, const T* weights,
                       const ProjectionGather& gather, const GatheredRows<T>& out, void* workspace,
                       Stream stream) {
  using C = Computed<T>;
  if (maps.cameras > kMaxGatherCameras)
    throw DeviceError("a projection gather has at most " + std::to_string(kMaxGatherCameras) +
                      " cameras, not " + std::to_string(maps.cameras));
  const int images = checked_int(maps.samples * maps.cameras, "the cameras of a projection gather");
  checked_int(images * maps.height * maps.width * maps.pixel_stride, "a map of a projection gather");
  const int64_t rows = maps.samples * points.count;
  checked_int(std::max(rows * out.row_stride, 3 * rows), "the rows of a projection gather");
  if (rows == 0) return;

  auto* projections = Workspace(workspace).take<Projection<C>>(images);
  launch<project_cameras_kernel<M, C>>(
      {.grid = blocks_for(images, kCameraBlock), .block = kCameraBlock, .stream = stream}, cameras, images,
      projections);

  const int64_t blocks = (points.count + kGatherPoints - 1) / kGatherPoints;
  const Gather<T> g = {sight_rules<C>(gather, maps.height, maps.width),
                       gather.sampling,
                       gather.reduction,
                       static_cast<int>(maps.cameras),
                       static_cast<int>(maps.height),
                       static_cast<int>(maps.width),
                       static_cast<int>(maps.channels),
                       static_cast<int>(maps.pixel_stride),
                       static_cast<int>(points.count),
                       static_cast<int>(blocks),
                       points.shared ? 0 : static_cast<int>(points.count),
                       static_cast<int>(out.row_stride)};
  const auto go = [&]<int N>() {
    unsigned lanes = 1;
    while (lanes < 32 && lanes * N < maps.channels) lanes *= 2;
    launch<projection_gather_kernel<T, N>>(
        {.grid = blocks_for(maps.samples * blocks, 1),
         .block = dim3(lanes, kGatherBlock / lanes),
         .shared_bytes = static_cast<size_t>(2 * maps.cameras * kGatherPoints) * sizeof(C),
         .stream = stream},
        projections, maps.data, points.data, gather.reduction == GatherReduction::Weights ? weights : nullptr,
        g, out.data, out.seen);
  };
  constexpr int N = kSamplePack<T>;
  if constexpr (N > 1)
    if (packable<N>(maps.channels, maps.data, out.data) && maps.pixel_stride % N == 0 &&
        out.row_stride % N == 0)
      return go.template operator()<N>();
  go.template operator()<1>();
}

template <class T>
int64_t projection_gather_workspace(int64_t samples, int64_t cameras) {
  return projection_gather_cpu_workspace<T>(samples, cameras);
}

#define TYTO_OF_MATRICES(T, M)                                                                         \
  template void projection_gather(const CameraMatrices<M>&, const CameraMaps<const T>&,                \
                                  const GatherPoints<Computed<T>>&, const T*, const ProjectionGather&, \
                                  const GatheredRows<T>&, void*, Stream);
#define TYTO_OF(T)                                                   \
  template int64_t projection_gather_workspace<T>(int64_t, int64_t); \
  TYTO_OF_MATRICES(T, double)                                        \
  TYTO_OF_MATRICES(T, float)
TYTO_OF(double)
TYTO_OF(float)
TYTO_OF(Half)
TYTO_OF(BFloat16)
#undef TYTO_OF
#undef TYTO_OF_MATRICES

}  // namespace tyto::kernels
