// BEV pooling. Where depth holds logits, a first kernel takes each pixel's largest and 1 / sum, of which the
// second makes the weights of kept points as it reads their logits.
//
// A block owns 16 neighbouring cells, zeros included. Their runs are cut into pieces of at most 8 rows
// (bev_pool_split.h); groups of lanes, a lane eight channels, take equal numbers of consecutive pieces and
// read a piece's rows at once. A group adds what it has of a cell that begins with it to the cell's sum in
// shared memory; what it has of one that began before waits beside it, and the groups' shares are added in
// order. Channels that come first are written from there, 16 pixels at a time.
//
// The longest chain of loads that wait for one another: a block's pieces / its groups, 42 pieces in B7 of
// bev.md 2.9 (21,211 points in 16 cells, 64 channels) where one worker a cell would take 3951 steps.
//
// Cost: with f features, d logits, r runs and n cells, of C channels: d twice (once of kept points), f, 8
// bytes a run, 4 a cell and the result. B4 in fp16: 33 MB, of which the result is 21; 1.8 M points x 80
// channels, 0.15 GFLOP of fused multiply-adds. Each point's row of features comes from L1 or L2: 293 MB; a
// logit takes a sector.
#include "kernels/bev/bev_pool.h"

#include "kernels/bev/bev_pool_split.h"
#include "kernels/common/computed.cuh"
#include "kernels/common/fast_exponential.cuh"
#include "kernels/common/launch.h"
#include "kernels/common/reduce.cuh"
#include "kernels/common/workspace.h"

namespace tyto::kernels {
namespace {

constexpr int kBlock = 256;  // of the first kernel
constexpr int kWarps = kPoolThreads / kWarp;
constexpr int kQuad = 4;  // elements that move at once in shared memory

__device__ inline float power(float x) { return fast_exponential(x); }
__device__ inline double power(double x) { return exp(x); }

// The softmax of a pixel's bins is e^(x - largest) * by. [images, width, height]
template <class C>
using PixelSoftmax = Pack<C, 2>;

// Sizes of maps; of one sample where they go with a sample's pointers.
struct Sizes {
  int cameras, bins, height, width, channels;
  int64_t depth_stride, feature_stride;
  bool last;  // DepthBins
};

// A warp a pixel. Lanes stand as sectors do, wherever a pixel begins.
template <class T>
__global__ void __launch_bounds__(kBlock)
    bev_softmax_rows_kernel(const T* depth, int64_t pixels, Sizes m, PixelSoftmax<Computed<T>>* out) {
  using C = Computed<T>;
  const int64_t pixel = static_cast<int64_t>(blockIdx.x) * (kBlock / kWarp) + threadIdx.x / kWarp;
  if (pixel >= pixels) return;
  const T* x = depth + pixel * m.depth_stride;
  const int lane = threadIdx.x % kWarp,
            skipped = static_cast<int>(reinterpret_cast<uintptr_t>(x) / sizeof(T) % kWarp);
  const auto each = [&](const auto& body) {
    for (int first = -skipped; first < m.bins; first += kWarp) {
      const int bin = first + lane;
      if (bin >= 0 && bin < m.bins) body(computed(x[bin]));
      __syncwarp();
    }
  };
  C largest = Larger::kStart, sum = 0;
  each([&](C v) { largest = Larger{}(largest, v); });
  largest = warp_reduce<Larger>(largest);
  each([&](C v) { sum += power(v - largest); });
  sum = warp_sum(sum);
  if (lane != 0) return;
  const int column = static_cast<int>(pixel % m.width), row = static_cast<int>(pixel / m.width % m.height);
  const int64_t image = pixel / m.width / m.height;
  const PixelSoftmax<C> found = {{largest, 1 / sum}};
  copy_pack(found, out[(image * m.width + column) * m.height + row]);
}

// 32 neighbouring pixels a block, kSlices threads each, whose shares are joined in order.
template <class T>
__global__ void __launch_bounds__(kBlock)
    bev_softmax_planes_kernel(const T* depth, int64_t pixels, Sizes m, PixelSoftmax<Computed<T>>* out) {
  using C = Computed<T>;
  constexpr int kSlices = kBlock / kWarp;
  TYTO_SHARED_ARRAY(C, shares, kBlock);
  const int slice = threadIdx.x / kWarp, lane = threadIdx.x % kWarp;
  const int64_t pixel = static_cast<int64_t>(blockIdx.x) * kWarp + lane;
  const int area = m.height * m.width, at = static_cast<int>(pixel % area);
  const int64_t image = pixel / area;
  const int bins = pixel < pixels ? m.bins : 0;
  const T* x = depth + image * m.bins * area + at;
  C largest = Larger::kStart, sum = 0;
#pragma unroll 4
  for (int bin = slice; bin < bins; bin += kSlices)
    largest = Larger{}(largest, computed(x[int64_t{bin} * area]));
  shares[threadIdx.x] = largest;
  __syncthreads();
  largest = shares[lane];
#pragma unroll
  for (int s = 1; s < kSlices; ++s) largest = Larger{}(largest, shares[s * kWarp + lane]);
  __syncthreads();
#pragma unroll(sizeof(C) == sizeof(double) ? 1 : 4)  // e^x of doubles takes many registers
  for (int bin = slice; bin < bins; bin += kSlices) sum += power(computed(x[int64_t{bin} * area]) - largest);
  shares[threadIdx.x] = sum;
  __syncthreads();
  if (slice > 0 || pixel >= pixels) return;
#pragma unroll
  for (int s = 1; s < kSlices; ++s) sum += shares[s * kWarp + lane];
  const PixelSoftmax<C> found = {{largest, 1 / sum}};
  copy_pack(found, out[(image * m.width + at % m.width) * m.height + at / m.width]);
}

// What a lane has of a cell: eight channels, and of Max the points that they come from.
template <class C, bool kMax>
struct Share {
  C values[kLaneChannels];
  int winners[kMax ? kLaneChannels : 1];

  __device__ void clear() {
#pragma unroll
    for (int i = 0; i < kLaneChannels; ++i) {
      values[i] = 0;
      if constexpr (kMax) winners[i] = -1;
    }
  }
  __device__ void add(int i, C weight, C feature, int point) {
    if constexpr (kMax)
      take(values[i], winners[i], weight * feature, point);
    else
      values[i] += weight * feature;
  }

  // Takes a later point.
  __device__ static void take(C& value, int& winner, C other, int of_other) {
    if (winner < 0 || other > value || (other != other && value == value)) {
      value = other;
      winner = of_other;
    }
  }
};

template <class T>
struct Inputs {
  const T* depth;
  const T* features;
  const PixelSoftmax<Computed<T>>* pixels;  // null: depth holds weights
  const int32_t* cell_starts;
  const BevRun* runs;
};

template <class T>
struct Outputs {
  T* data;
  int32_t* winners;  // or null
  int64_t image_stride, area;
  int levels, pixel_stride;
  bool last, mean;  // last: channels stand together
};

// N elements of T move at once. A block a tile of cells (x), channels (y) and a sample (z).
template <class T, int N, bool kMax>
__global__ void __launch_bounds__(kPoolThreads)
    bev_pool_kernel(Inputs<T> in, Sizes m, int64_t cells, int64_t capacity, Outputs<T> out) {
  using C = Computed<T>;
  constexpr int kPacks = kLaneChannels / N;
  // Of a piece, whose features a lane holds at once: what registers allow.
  constexpr int kRows = N > 1 && !kMax ? kPieceRows : sizeof(T) == sizeof(double) ? 1 : 2;
  TYTO_SHARED_ARRAY(int, starts, kPoolCells + 1);
  TYTO_SHARED_ARRAY(int, columns, kPoolThreads);  // of a round's runs
  TYTO_SHARED_ARRAY(int, of_cells, kPoolThreads);
  TYTO_SHARED_ARRAY(int, spans, kPoolThreads);     // first row, and rows above 16 bits
  TYTO_SHARED_ARRAY(int, ends, kPoolThreads + 1);  // of their pieces, behind a 0
  TYTO_SHARED_ARRAY(int, warp_pieces, kWarps);
  TYTO_SHARED_ARRAY(int, begins, kPoolCells);  // the group that a cell begins with in this round
  TYTO_SHARED_ARRAY(int, points, kPoolCells);
  TYTO_SHARED_ARRAY(int, waiting, kPoolThreads / kPieceRows);  // the cell of a group's waiting share, or -1
  TYTO_SHARED_DYNAMIC(C, sums);

  const int thread = threadIdx.x, lane = thread % kWarp;
  const int first_channel = static_cast<int>(blockIdx.y) * kPoolChannels,
            channels = min(kPoolChannels, m.channels - first_channel);
  const int lanes = lanes_of_group(channels), groups = groups_of_block(lanes), width = lanes * kLaneChannels;
  const int row_of_sums = width + kQuad;  // neighbouring cells lie in other banks
  C* shares = sums + kPoolCells * row_of_sums;
  int* sum_winners = reinterpret_cast<int*>(shares + groups * width);
  int* share_winners = sum_winners + kPoolCells * row_of_sums;
  const int member = lane % lanes, group_in_warp = lane / lanes,
            group = group_in_warp < kWarp / lanes ? thread / kWarp * (kWarp / lanes) + group_in_warp : groups;
  const int64_t sample = blockIdx.z, first_cell = static_cast<int64_t>(blockIdx.x) * kPoolCells;
  const int own_cells = static_cast<int>(min(int64_t{kPoolCells}, cells - first_cell));

  if (thread <= own_cells) starts[thread] = in.cell_starts[sample * (cells + 1) + first_cell + thread];
  if (thread < kPoolCells) points[thread] = 0;
  for (int i = thread; i < kPoolCells * row_of_sums; i += kPoolThreads) {
    sums[i] = 0;
    if constexpr (kMax) sum_winners[i] = -1;
  }
  __syncthreads();

  // Where a lane's i-th channel stands in shared memory and, from the block's first, in the map.
  const auto place = [&](int i) {
    return N == 2 * kQuad ? (i / kQuad * lanes + member) * kQuad + i % kQuad
                          : (i / N * lanes + member) * N + i % N;
  };
  const auto channel_of_place = [&](int at) {
    if constexpr (N != 2 * kQuad) return at;
    const int quad = at / kQuad;
    return (quad % lanes * 2 + quad / lanes) * kQuad + at % kQuad;
  };
  const int64_t row_stride = m.width * m.feature_stride;
  const BevRun* runs = in.runs + sample * capacity;
  for (int first_run = starts[0]; first_run < starts[own_cells]; first_run += kPoolThreads) {
    // A thread reads a run, and the block counts pieces.
    const int held = min(kPoolThreads, starts[own_cells] - first_run);
    int pieces = 0;
    if (thread < held) {
      Pack<int32_t, 2> run;
      copy_pack(*reinterpret_cast<const Pack<int32_t, 2>*>(runs + first_run + thread), run);
      int cell = 0;
      while (first_run + thread >= starts[cell + 1]) ++cell;
      const int rows = static_cast<int>(static_cast<unsigned>(run.values[1]) >> 16);
      columns[thread] = run.values[0];
      spans[thread] = run.values[1];
      of_cells[thread] = cell;
      pieces = pieces_of_run(rows);
      if (out.mean) atomicAdd(points + cell, rows);
    }
#pragma unroll
    for (int distance = 1; distance < kWarp; distance *= 2) {
      const int before = __shfl_up_sync(kFullWarp, pieces, distance);
      if (lane >= distance) pieces += before;
    }
    if (lane == kWarp - 1) warp_pieces[thread / kWarp] = pieces;
    if (thread < kPoolCells) begins[thread] = -1;
    if (thread < groups) waiting[thread] = -1;
    __syncthreads();
    for (int warp = 0; warp < thread / kWarp; ++warp) pieces += warp_pieces[warp];
    ends[thread + 1] = pieces;
    if (thread == 0) ends[0] = 0;
    __syncthreads();

    const int all = ends[held], most = pieces_of_group(all, groups);
    const int begin = group < groups ? group * most : all;
    int run = 0;
    for (int step = kPoolThreads / 2; step > 0; step /= 2)
      if (run + step < held && ends[run + step] <= begin) run += step;
    Share<C, kMax> share;
    share.clear();
    int cell = -1;
    bool began_before = false;

    const auto leave = [&] {
      C* to = began_before ? shares + group * width : sums + cell * row_of_sums;
      int* to_winners = began_before ? share_winners + group * width : sum_winners + cell * row_of_sums;
      if (member == 0) (began_before ? waiting[group] : begins[cell]) = began_before ? cell : group;
      constexpr int kAtOnce = N == 1 ? 1 : kQuad;
#pragma unroll
      for (int i = 0; i < kLaneChannels; i += kAtOnce) {
        Pack<C, kAtOnce> values;
        Pack<int, kAtOnce> winners;
        if (!began_before) copy_pack(*reinterpret_cast<Pack<C, kAtOnce>*>(to + place(i)), values);
        if constexpr (kMax)
          if (!began_before)
            copy_pack(*reinterpret_cast<Pack<int, kAtOnce>*>(to_winners + place(i)), winners);
#pragma unroll
        for (int k = 0; k < kAtOnce; ++k) {
          if (began_before) {
            values.values[k] = share.values[i + k];
            if constexpr (kMax) winners.values[k] = share.winners[i + k];
          } else if constexpr (kMax) {
            share.take(values.values[k], winners.values[k], share.values[i + k], share.winners[i + k]);
          } else {
            values.values[k] += share.values[i + k];
          }
        }
        copy_pack(values, *reinterpret_cast<Pack<C, kAtOnce>*>(to + place(i)));
        if constexpr (kMax) copy_pack(winners, *reinterpret_cast<Pack<int, kAtOnce>*>(to_winners + place(i)));
      }
      share.clear();
    };

    for (int step = 0; step < most; ++step) {  // all lanes of a warp, for they hand weights around
      const int piece = begin + step;
      int rows = 0, first_point = 0;
      C weight = 0;
      const T* feature = nullptr;
      if (piece < all) {
        while (ends[run + 1] <= piece) ++run;
        if (of_cells[run] != cell) {
          if (cell >= 0) leave();
          cell = of_cells[run];
          began_before = run > 0 ? of_cells[run - 1] == cell || piece != ends[run] : piece != 0;
        }
        const int skipped = (piece - ends[run]) * kPieceRows, first_row = (spans[run] & 0xffff) + skipped,
                  left = static_cast<int>(static_cast<unsigned>(spans[run]) >> 16) - skipped;
        rows = min(kPieceRows, left);
        const int depth = columns[run] / m.width, column = columns[run] % m.width;  // camera * bins + bin
        const int camera = depth / m.bins, bin = depth % m.bins;
        const int64_t image = sample * m.cameras + camera;
        first_point = (depth * m.height + first_row) * m.width + column;
        const int64_t pixel = (image * m.height + first_row) * m.width + column;
        if (member < rows) {
          const int64_t at =
              m.last ? (pixel + int64_t{member} * m.width) * m.depth_stride + bin
                     : ((image * m.bins + bin) * m.height + first_row + member) * m.width + column;
          weight = computed(in.depth[at]);
          if (in.pixels) {
            PixelSoftmax<C> softmax;
            copy_pack(in.pixels[(image * m.width + column) * m.height + first_row + member], softmax);
            weight = power(weight - softmax.values[0]) * softmax.values[1];
          }
        }
        feature = in.features + pixel * m.feature_stride + first_channel + member * N;
      }
#pragma unroll 1
      for (int first = 0; first < kPieceRows; first += kRows) {
        Pack<T, N> features[kRows][kPacks];
#pragma unroll
        for (int i = 0; i < kRows; ++i)
#pragma unroll
          for (int p = 0; p < kPacks; ++p)
            if (first + i < rows && (p * lanes + member) * N < channels)
              copy_pack(
                  *reinterpret_cast<const Pack<T, N>*>(feature + (first + i) * row_stride + p * lanes * N),
                  features[i][p]);
#pragma unroll
        for (int i = 0; i < kRows; ++i) {
          const C of_row = __shfl_sync(kFullWarp, weight, (group_in_warp * lanes + first + i) % kWarp);
          if (first + i >= rows) continue;
#pragma unroll
          for (int k = 0; k < kLaneChannels; ++k)
            if ((k / N * lanes + member) * N < channels)
              share.add(k, of_row, computed(features[i][k / N].values[k % N]),
                        first_point + (first + i) * m.width);
        }
      }
    }
    if (cell >= 0) leave();
    __syncthreads();

    // The groups' shares, in order.
    for (int i = thread; i < own_cells * width; i += kPoolThreads) {
      const int of = i / width, at = i % width;
      if (begins[of] < 0) continue;
      C value = sums[of * row_of_sums + at];
      int winner = kMax ? sum_winners[of * row_of_sums + at] : 0;
      for (int g = begins[of] + 1; g < groups && waiting[g] == of; ++g) {
        if constexpr (kMax)
          Share<C, kMax>::take(value, winner, shares[g * width + at], share_winners[g * width + at]);
        else
          value += shares[g * width + at];
      }
      sums[of * row_of_sums + at] = value;
      if constexpr (kMax) sum_winners[of * row_of_sums + at] = winner;
    }
    __syncthreads();
  }

  const auto value_at = [&](int of, C sum) {
    return rounded_to<T>(out.mean && points[of] > 0 ? sum / static_cast<C>(points[of]) : sum);
  };
  T* image = out.data + sample * out.image_stride;
  const auto cell_at = [&](int of) {  // where channels come last
    const int cell = static_cast<int>(first_cell) + of, pixel = cell / out.levels;
    return image + int64_t{pixel} * out.pixel_stride + (cell - pixel * out.levels) * m.channels;
  };
  if (out.last) {
    const int packs = channels / N;
    for (int i = thread; i < own_cells * packs; i += kPoolThreads) {
      const int of = i / packs, pack = i % packs;
      constexpr int kAtOnce = N == 1 ? 1 : kQuad;
      Pack<T, N> values;
#pragma unroll
      for (int first = 0; first < N; first += kAtOnce) {
        Pack<C, kAtOnce> quad;
        const int at = (first / kQuad * lanes + pack) * kAtOnce;
        copy_pack(*reinterpret_cast<const Pack<C, kAtOnce>*>(sums + of * row_of_sums + at), quad);
#pragma unroll
        for (int k = 0; k < kAtOnce; ++k) values.values[first + k] = value_at(of, quad.values[k]);
      }
      copy_pack(values, *reinterpret_cast<Pack<T, N>*>(cell_at(of) + first_channel + pack * N));
    }
    const int behind = out.pixel_stride - out.levels * m.channels;  // a pixel's channels
    for (int i = thread; blockIdx.y == 0 && i < own_cells * behind; i += kPoolThreads)
      if ((first_cell + i / behind) % out.levels == out.levels - 1)
        cell_at(i / behind)[m.channels + i % behind] = rounded_to<T>(C(0));
  } else {
    for (int i = thread; i < kPoolCells * width / kQuad; i += kPoolThreads) {
      const int of = i % kPoolCells, at = i / kPoolCells * kQuad;
      if (of >= own_cells) continue;
      Pack<C, kQuad> values;
      copy_pack(*reinterpret_cast<const Pack<C, kQuad>*>(sums + of * row_of_sums + at), values);
      const int64_t pixel = (first_cell + of) / out.levels, level = (first_cell + of) % out.levels;
#pragma unroll
      for (int k = 0; k < kQuad; ++k) {
        const int channel = channel_of_place(at + k);
        if (channel < channels)
          image[(level * m.channels + first_channel + channel) * out.area + pixel] =
              value_at(of, values.values[k]);
      }
    }
  }
  if constexpr (kMax)
    if (out.winners) {
      int32_t* winners = out.winners + (sample * cells + first_cell) * m.channels + first_channel;
      for (int i = thread; i < own_cells * width; i += kPoolThreads) {
        const int of = i / width, channel = channel_of_place(i % width);
        if (channel < channels)
          winners[int64_t{of} * m.channels + channel] = sum_winners[of * row_of_sums + i % width];
      }
    }
}

template <class T>
PixelSoftmax<Computed<T>>* cut(Workspace& w, const BevPool& p, int64_t images) {
  return w.take<PixelSoftmax<Computed<T>>>(p.logits ? images * p.frustum.height * p.frustum.width : 0);
}

template <class T, int N>
bool packs_fit(const LiftedMaps<const T>& maps, const ChannelBlocks<T>& out) {
  const bool aligned = packable<N>(maps.channels, maps.features) && maps.feature_stride % N == 0;
  return aligned && (out.block == 1 || (packable<N>(maps.channels, out.data) && out.block % N == 0));
}

}  // namespace

template <class T>
int64_t bev_pool_workspace(const BevPool& p, int64_t samples, int64_t cameras, int64_t) {
  Workspace w;
  cut<T>(w, p, samples * cameras);
  return w.bytes();
}

template <class T>
void bev_pool(const LiftedMaps<const T>& maps, const BevIndex& index, const BevPool& p,
              const ChannelBlocks<T>& out, int32_t* winners, void* workspace, Stream stream) {
  using C = Computed<T>;
  const Frustum& f = p.frustum;
  Workspace w(workspace);
  PixelSoftmax<C>* softmax = cut<T>(w, p, maps.samples * maps.cameras);
  checked_int(maps.cameras * f.points(), "the points of a sample of bev_pool");
  const Sizes sizes = {static_cast<int>(maps.cameras),
                       f.bins,
                       f.height,
                       f.width,
                       checked_int(maps.channels, "the channels of bev_pool"),
                       maps.depth_stride,
                       maps.feature_stride,
                       maps.bins == DepthBins::Last};
  const int64_t pixels = maps.samples * maps.cameras * f.height * f.width;
  const auto points = static_cast<double>(pixels * f.bins);
  if (p.logits) {
    const ScalarWork work = {.operations = 3 * points, .exponentials = points};
    if (sizes.last)
      launch<bev_softmax_rows_kernel<T>>(
          {.grid = blocks_for(pixels, kBlock / kWarp), .block = kBlock, .stream = stream, .work = work},
          maps.depth, pixels, sizes, softmax);
    else
      launch<bev_softmax_planes_kernel<T>>(
          {.grid = blocks_for(pixels, kWarp), .block = kBlock, .stream = stream, .work = work}, maps.depth,
          pixels, sizes, softmax);
  }
  const Inputs<T> in = {maps.depth, maps.features, p.logits ? softmax : nullptr, index.cell_starts,
                        index.runs};
  const Outputs<T> to = {out.data,
                         winners,
                         out.image_stride,
                         out.area(),
                         p.grid.levels(),
                         checked_int(out.block, "a pixel's channels in bev_pool"),
                         out.block != 1 || out.channels == 1,
                         p.reduction == BevReduction::Mean};
  const int lanes = lanes_of_group(std::min(kPoolChannels, sizes.channels)), width = lanes * kLaneChannels;
  const bool largest = p.reduction == BevReduction::Max;
  const size_t shared = static_cast<size_t>(kPoolCells * (width + kQuad) + groups_of_block(lanes) * width) *
                        (sizeof(C) + (largest ? sizeof(int) : 0));
  const LaunchConfig config = {
      .grid = dim3(blocks_for(p.grid.size(), kPoolCells), blocks_for(sizes.channels, kPoolChannels),
                   static_cast<unsigned>(maps.samples)),
      .block = kPoolThreads,
      .shared_bytes = shared,
      .stream = stream,
      .work = {.operations = points * static_cast<double>(maps.channels),
               .exponentials = p.logits ? points : 0}};
  const int64_t capacity = bev_run_capacity(f, maps.cameras);
  const auto go = [&]<int N>() {
    if (largest)
      launch<bev_pool_kernel<T, N, true>>(config, in, sizes, p.grid.size(), capacity, to);
    else
      launch<bev_pool_kernel<T, N, false>>(config, in, sizes, p.grid.size(), capacity, to);
  };
  if constexpr (!std::is_same_v<T, double>)
    if (packs_fit<T, kPack<T>>(maps, out)) return go.template operator()<kPack<T>>();
  go.template operator()<1>();
}

#define TYTO_INSTANTIATE(T)                                                              \
  template void bev_pool<T>(const LiftedMaps<const T>&, const BevIndex&, const BevPool&, \
                            const ChannelBlocks<T>&, int32_t*, void*, Stream);           \
  template int64_t bev_pool_workspace<T>(const BevPool&, int64_t, int64_t, int64_t);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
TYTO_INSTANTIATE(Half)
TYTO_INSTANTIATE(BFloat16)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels
