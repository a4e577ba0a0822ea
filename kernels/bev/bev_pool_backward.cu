// The gradient of BEV pooling, gathered in the order of the frustums: a warp takes a pixel and walks its
// bins, the channels over its lanes. The pixel's features and their gradient stay in registers; the product
// of features and a cell's row is the gradient of the bin's weight, eight bins of which are summed over the
// lanes at once. Nothing is sorted, and nobody adds to what another wrote.
//
// Eight neighbouring pixels make a block, which stages cells, and depth of DepthBins::First, so that whole
// sectors are read. Rows of channels that come first are transposed before.
//
// Cost of P pixels of D bins and C channels, K of whose points are kept in U cells, elements of b bytes: 4 PD
// + 2b PD + 2b PC + b UC bytes, of a mean 8 bytes a run and 8 a cell more, of the largest 4 UC for the
// winners; B1 in float 4.4 MB. 4 KC operations; rows are read K times, b KC bytes, from L2: B1 10.8 MB. A
// bin's row depends on no other bin's.
#include "kernels/bev/bev_pool.h"

#include "kernels/common/computed.cuh"
#include "kernels/common/launch.h"
#include "kernels/common/reduce.cuh"
#include "kernels/common/workspace.h"
#include "kernels/layout/nchw_to_nhwc.h"

namespace tyto::kernels {
namespace {

constexpr int kPixels = 8;  // of a block
constexpr int kBlock = kPixels * kWarp;
constexpr int kBinsAtOnce = 8;
constexpr int kCells = kBlock / kWarp;  // of a block that counts points

// Bins of a pixel in shared memory, of whole warps: 8 pixels x 4 bins fall into 32 banks.
int staged_bins(int bins) { return (bins + kWarp - 1) / kWarp * kWarp + kWarp / kPixels; }

// In pieces of at most 16 bytes that a lane takes at once.
template <class T>
constexpr int kMostChannels = std::is_same_v<T, double> ? 2 : 4;

template <class T>
struct Spread {
  LiftedMaps<const T> maps;
  LiftedMaps<T> gradients;
  const int32_t* cells;       // BevIndex's
  const T* rows;              // [samples, cells, channels]
  const Computed<T>* shares;  // [samples, cells], or null
  const int32_t* winners;     // [samples, cells, channels], or null
  int64_t row_stride_of_sample;
  int bins, area, staged, channels, grid;
  bool logits;
};

// A point's share of its cell's gradient: 1 / the cell's points. A warp takes a cell.
template <class C>
__global__ void __launch_bounds__(kBlock)
    share_cells_kernel(const int32_t* __restrict__ starts, const BevRun* __restrict__ runs, int64_t capacity,
                       int cells, int samples, C* __restrict__ shares) {
  const int64_t i = int64_t{blockIdx.x} * kCells + threadIdx.x / kWarp;
  if (i >= int64_t{samples} * cells) return;
  const int sample = static_cast<int>(i / cells), lane = threadIdx.x % kWarp;
  const int32_t* const own = starts + i + sample;  // cells + 1 of a sample
  const int32_t end = own[1];
  int points = 0;
  for (int32_t r = own[0] + lane; r < end; r += kWarp) {
    Pack<uint32_t, 2> run;
    copy_pack(reinterpret_cast<const Pack<uint32_t, 2>*>(runs + sample * capacity)[r], run);
    points += static_cast<int>(run.values[1] >> 16);
  }
  points = warp_sum(points);
  if (lane == 0) shares[i] = C(1) / static_cast<C>(points);
}

template <int N, class T>
__device__ inline void load_channels(const T* from, Computed<T> (&to)[N]) {
  Pack<T, N> pack;
  copy_pack(*reinterpret_cast<const Pack<T, N>*>(from), pack);
#pragma unroll
  for (int i = 0; i < N; ++i) to[i] = computed(pack.values[i]);
}

template <int N, class T>
__device__ inline void store_channels(const Computed<T> (&from)[N], T* to) {
  Pack<T, N> pack;
#pragma unroll
  for (int i = 0; i < N; ++i) pack.values[i] = rounded_to<T>(from[i]);
  copy_pack(pack, *reinterpret_cast<Pack<T, N>*>(to));
}

// The warp's sum of each v[i], to the four lanes from 4 i on: each step leaves half of the values to either
// half of the lanes.
template <class C>
__device__ inline C sum_of_eight(C (&v)[kBinsAtOnce], int lane) {
#pragma unroll
  for (int half = kBinsAtOnce / 2, distance = kWarp / 2; half > 0; half /= 2, distance /= 2) {
    const bool upper = lane & distance;
#pragma unroll
    for (int i = 0; i < half; ++i) {
      const C kept = upper ? v[i + half] : v[i], given = upper ? v[i] : v[i + half];
      v[i] = kept + __shfl_xor_sync(kFullWarp, given, distance);
    }
  }
  v[0] += __shfl_xor_sync(kFullWarp, v[0], 2);
  return v[0] + __shfl_xor_sync(kFullWarp, v[0], 1);
}

// Of a pixel's bins in place, by its warp.
template <class C>
__device__ inline void softmax_of_bins(C* v, int bins, int lane) {
  C largest = Larger::kStart, sum = 0;
  for (int bin = lane; bin < bins; bin += kWarp) largest = Larger{}(largest, v[bin]);
  largest = warp_reduce<Larger>(largest);
  for (int bin = lane; bin < bins; bin += kWarp) {
    v[bin] = std::exp(v[bin] - largest);
    sum += v[bin];
  }
  const C by = 1 / warp_sum(sum);
  for (int bin = lane; bin < bins; bin += kWarp) v[bin] *= by;
}

// Where a pixel's warp works.
template <class C>
struct Bins {
  C *weights, *slopes;
  const int32_t* cells;
};

// The features' gradient, and slopes += the products of features and rows, without the shares; of dropped
// bins a slope means nothing.
template <class T, int N, bool kMax>
__device__ inline void spread_channels(const Spread<T>& s, int image, int pixel, const Bins<Computed<T>>& at,
                                       int lane) {
  using C = Computed<T>;
  const int sample = image / static_cast<int>(s.maps.cameras),
            camera = image - sample * static_cast<int>(s.maps.cameras);
  const int64_t pixel_of_all = int64_t{image} * s.area + pixel;
  const T* const rows = s.rows + sample * s.row_stride_of_sample;
  const int64_t first_cell = int64_t{sample} * s.grid;
  for (int tile = 0; tile < s.channels; tile += N * kWarp) {
    const int channel = tile + N * lane;
    const bool inside = channel < s.channels;
    C feature[N] = {}, spread[N] = {};
    if (inside) load_channels<N>(s.maps.features + pixel_of_all * s.maps.feature_stride + channel, feature);
    for (int first = 0; first < s.bins; first += kWarp) {
      const int bin = first + lane;
      const int32_t cell = bin < s.bins ? at.cells[bin] : -1;
      C weight = 0;
      if (cell >= 0) weight = at.weights[bin] * (s.shares ? s.shares[first_cell + cell] : C(1));
      const unsigned kept = __ballot_sync(kFullWarp, cell >= 0);
#pragma unroll 1
      for (int begin = 0; begin < kWarp; begin += kBinsAtOnce) {
        if ((kept >> begin & ((1u << kBinsAtOnce) - 1)) == 0) continue;
        C products[kBinsAtOnce], row[kBinsAtOnce][N] = {};
#pragma unroll
        for (int k = 0; k < kBinsAtOnce; ++k) {
          const int32_t of = __shfl_sync(kFullWarp, cell, begin + k);
          if (of >= 0 && inside) {
            load_channels<N>(rows + int64_t{of} * s.channels + channel, row[k]);
            if constexpr (kMax) {
              const int point = (camera * s.bins + first + begin + k) * s.area + pixel;
              Pack<int32_t, N> won;
              copy_pack(*reinterpret_cast<const Pack<int32_t, N>*>(s.winners +
                                                                   (first_cell + of) * s.channels + channel),
                        won);
#pragma unroll
              for (int i = 0; i < N; ++i) row[k][i] = won.values[i] == point ? row[k][i] : C(0);
            }
          }
        }
#pragma unroll
        for (int k = 0; k < kBinsAtOnce; ++k) {
          const C by = __shfl_sync(kFullWarp, weight, begin + k);
          products[k] = 0;
#pragma unroll
          for (int i = 0; i < N; ++i) {
            products[k] += feature[i] * row[k][i];
            spread[i] += by * row[k][i];
          }
        }
        const C sum = sum_of_eight(products, lane);
        const int to = first + begin + lane / 4;
        if (lane % 4 == 0) at.slopes[to] = tile == 0 ? sum : at.slopes[to] + sum;
      }
    }
    if (inside && s.gradients.features)
      store_channels<N>(spread, s.gradients.features + pixel_of_all * s.gradients.feature_stride + channel);
  }
}

// Slopes become the gradient of the weights, or of the logits that they are the softmax of.
template <class C>
__device__ inline void finish_bins(const Bins<C>& at, const C* shares, int bins, bool logits, int lane) {
  C mean = 0;
  for (int bin = lane; bin < bins; bin += kWarp) {
    const int32_t cell = at.cells[bin];
    C slope = cell < 0 ? C(0) : at.slopes[bin];
    if (shares && cell >= 0) slope *= shares[cell];
    if (logits) slope *= at.weights[bin];
    mean += slope;
    at.slopes[bin] = slope;
  }
  if (!logits) return;
  mean = warp_sum(mean);
  for (int bin = lane; bin < bins; bin += kWarp) at.slopes[bin] -= at.weights[bin] * mean;
}

template <class T, int N, bool kMax>
__global__ void __launch_bounds__(kBlock, 2) bev_pool_backward_kernel(Spread<T> s) {
  using C = Computed<T>;
  TYTO_SHARED_DYNAMIC(C, shared);
  const int blocks = (s.area + kPixels - 1) / kPixels, image = blockIdx.x / blocks;
  const int first = blockIdx.x % blocks * kPixels, count = min(kPixels, s.area - first);
  const int own = threadIdx.x / kWarp, lane = threadIdx.x % kWarp, pixel = first + own;
  C* const weights = shared;
  C* const slopes = weights + kPixels * s.staged;
  int32_t* const cells = reinterpret_cast<int32_t*>(slopes + kPixels * s.staged);
  // Neighbouring threads take neighbouring pixels.
  const int of_pixel = threadIdx.x % kPixels, from_bin = threadIdx.x / kPixels;
  const int64_t plane = int64_t{image} * s.bins * s.area + first + of_pixel;
  const bool bins_first = s.maps.bins == DepthBins::First;
  if (of_pixel < count)
    for (int bin = from_bin; bin < s.bins; bin += kBlock / kPixels) {
      cells[of_pixel * s.staged + bin] = s.cells[plane + int64_t{bin} * s.area];
      if (bins_first)
        weights[of_pixel * s.staged + bin] = computed(s.maps.depth[plane + int64_t{bin} * s.area]);
    }
  const int64_t pixel_of_all = int64_t{image} * s.area + pixel;
  if (!bins_first && own < count)
    for (int bin = lane; bin < s.bins; bin += kWarp)
      weights[own * s.staged + bin] = computed(s.maps.depth[pixel_of_all * s.maps.depth_stride + bin]);
  __syncthreads();
  if (own < count) {
    const Bins<C> at = {weights + own * s.staged, slopes + own * s.staged, cells + own * s.staged};
    if (s.logits) softmax_of_bins(at.weights, s.bins, lane);
    spread_channels<T, N, kMax>(s, image, pixel, at, lane);
    __syncwarp();
    const int64_t sample = image / s.maps.cameras;
    finish_bins(at, s.shares ? s.shares + sample * s.grid : nullptr, s.bins, s.logits, lane);
    if (!bins_first && s.gradients.depth)
      for (int bin = lane; bin < s.bins; bin += kWarp)
        s.gradients.depth[pixel_of_all * s.gradients.depth_stride + bin] = rounded_to<T>(at.slopes[bin]);
  }
  if (!bins_first || !s.gradients.depth) return;
  __syncthreads();
  if (of_pixel < count)
    for (int bin = from_bin; bin < s.bins; bin += kBlock / kPixels)
      s.gradients.depth[plane + int64_t{bin} * s.area] = rounded_to<T>(slopes[of_pixel * s.staged + bin]);
}

template <class T>
struct Lent {
  T* rows;
  Computed<T>* shares;
  int64_t bytes;

  Lent(void* memory, const BevPool& pool, int64_t samples, int64_t channels) {
    Workspace workspace(memory);
    rows = workspace.take<T>(samples * pool.grid.size() * channels);
    shares =
        workspace.take<Computed<T>>(pool.reduction == BevReduction::Mean ? samples * pool.grid.size() : 0);
    bytes = workspace.bytes();
  }
};

// Channels that a lane takes at once: no more than leave every lane some, as many as all arrays allow.
template <class T>
int channels_at_once(const Spread<T>& s) {
  const auto fits = [&](int n) {
    const auto aligned = [&](const auto* p) { return reinterpret_cast<uintptr_t>(p) % (n * sizeof *p) == 0; };
    return s.channels % n == 0 && s.maps.feature_stride % n == 0 && s.row_stride_of_sample % n == 0 &&
           aligned(s.maps.features) && aligned(s.rows) && aligned(s.winners) &&
           (!s.gradients.features || (s.gradients.feature_stride % n == 0 && aligned(s.gradients.features)));
  };
  int n = 1;
  while (n < kMostChannels<T> && n * kWarp < s.channels && fits(2 * n)) n *= 2;
  return n;
}

template <class T, bool kMax>
void launch_spread(const Spread<T>& s, const LaunchConfig& config) {
  const int n = channels_at_once(s);
  if constexpr (kMostChannels<T> == 4)
    if (n == 4) return launch<bev_pool_backward_kernel<T, 4, kMax>>(config, s);
  if (n == 2)
    launch<bev_pool_backward_kernel<T, 2, kMax>>(config, s);
  else
    launch<bev_pool_backward_kernel<T, 1, kMax>>(config, s);
}

// Rows whose channels stand together, a cell behind the other.
template <class T>
void transpose_rows(const ChannelBlocks<const T>& gradient, T* rows, Stream stream) {
  const int64_t image = gradient.channels * gradient.area();
  const int64_t together = gradient.image_stride == image ? gradient.n : 1;
  for (int64_t i = 0; i < gradient.n; i += together)
    nchw_to_nhwc(gradient.data + i * gradient.image_stride, gradient.channels,
                 Nhwc<T>{rows + i * image, together, gradient.height, gradient.width, gradient.channels},
                 stream);
}

}  // namespace

template <class T>
void bev_pool_backward(const LiftedMaps<const T>& maps, const BevIndex& index, const BevPool& pool,
                       const ChannelBlocks<const T>& gradient, const int32_t* winners,
                       const LiftedMaps<T>& gradients, void* memory, Stream stream) {
  using C = Computed<T>;
  const Frustum& f = pool.frustum;
  if (f.bins > kMostBackwardBins)
    throw DeviceError("the gradient of BEV pooling takes at most " + std::to_string(kMostBackwardBins) +
                      " bins on CUDA, not " + std::to_string(f.bins));
  const Lent<T> lent(memory, pool, maps.samples, maps.channels);
  const int64_t cells = pool.grid.size();
  Spread<T> s = {.maps = maps,
                 .gradients = gradients,
                 .cells = index.cells,
                 .rows = gradient.data,
                 .shares = nullptr,
                 .winners = nullptr,
                 .row_stride_of_sample = gradient.image_stride,
                 .bins = f.bins,
                 .area = checked_int(int64_t{f.height} * f.width, "a feature map"),
                 .staged = staged_bins(f.bins),
                 .channels = checked_int(maps.channels, "the channels of BEV pooling"),
                 .grid = checked_int(cells, "a grid"),
                 .logits = pool.logits};
  if (gradient.block != gradient.channels && gradient.block != 1)
    throw DeviceError("the gradient of BEV pooling takes channels last or first on CUDA, not in blocks of " +
                      std::to_string(gradient.block));
  checked_int(bev_run_capacity(f, maps.cameras), "the points of a sample");
  if (gradient.block != gradient.channels) {
    transpose_rows(gradient, lent.rows, stream);
    s.rows = lent.rows;
    s.row_stride_of_sample = cells * maps.channels;
  }
  if (pool.reduction == BevReduction::Mean) {
    launch<share_cells_kernel<C>>(
        {.grid = blocks_for(maps.samples * cells, kCells), .block = kBlock, .stream = stream},
        index.cell_starts, index.runs, bev_run_capacity(f, maps.cameras), s.grid,
        static_cast<int>(maps.samples), lent.shares);
    s.shares = lent.shares;
  }
  const int64_t blocks = (s.area + kPixels - 1) / kPixels * maps.samples * maps.cameras;
  const auto points = static_cast<double>(maps.samples * bev_run_capacity(f, maps.cameras));
  const LaunchConfig config = {
      .grid = blocks_for(blocks, 1),
      .block = kBlock,
      .shared_bytes = static_cast<size_t>(kPixels) * s.staged * (2 * sizeof(C) + sizeof(int32_t)),
      .stream = stream,
      .work = {.operations = 2 * points * static_cast<double>(maps.channels), .exponentials = points}};
  if (pool.reduction == BevReduction::Max) {
    s.winners = winners;
    launch_spread<T, true>(s, config);
  } else {
    launch_spread<T, false>(s, config);
  }
}

template <class T>
int64_t bev_pool_backward_workspace(const BevPool& pool, int64_t samples, int64_t, int64_t channels) {
  return Lent<T>(nullptr, pool, samples, channels).bytes;
}

#define TYTO_INSTANTIATE(T)                                                                               \
  template void bev_pool_backward<T>(const LiftedMaps<const T>&, const BevIndex&, const BevPool&,         \
                                     const ChannelBlocks<const T>&, const int32_t*, const LiftedMaps<T>&, \
                                     void*, Stream);                                                      \
  template int64_t bev_pool_backward_workspace<T>(const BevPool&, int64_t, int64_t, int64_t);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
TYTO_INSTANTIATE(Half)
TYTO_INSTANTIATE(BFloat16)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels
