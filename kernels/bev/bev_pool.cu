// Bird's-eye-view pooling. Where depth holds logits, a first kernel finds each pixel's largest one and the
// sum of its exponentials. Then a block owns a tile of 32 pixels of the grid, the empty ones too, and writes
// each of their channels once.
//
// A warp takes a cell: 32 runs at a time, a lane each, whose rows it counts out into points, a lane each,
// with their weights; then groups of lanes, each as wide as a pixel's channels in 16-byte packs, add every
// point's features. A cell of more than kSharedRuns runs is shared by the block's warps, a slice of its runs
// each. So the cells beside the car, of thousands of points, are no chain of loads: a batch of 32 points
// hangs on three, the run's, the logit's and the features', and those of the next batch do not wait for them.
//
// Cost: the logits twice (all, then those of the points kept), features from L2, 8 bytes a run, 4 a cell, the
// result once; two operations a point and channel, two exponentials a logit.
#include "kernels/bev/bev_pool.h"

#include <algorithm>

#include "kernels/common/computed.cuh"
#include "kernels/common/fast_exponential.cuh"
#include "kernels/common/launch.h"
#include "kernels/common/reduce.cuh"
#include "kernels/common/workspace.h"

namespace tyto::kernels {
namespace {

constexpr int kBlock = 256, kWarps = kBlock / kWarp;
constexpr int kTile = kWarp;    // pixels of a block
constexpr int kSharedRuns = 8;  // of a cell; one of more is all warps' work
constexpr int kSlices = 8;      // of a pixel's bins, where a plane of the map holds each

__device__ float exponential_of(float x) { return fast_exponential(x); }
__device__ double exponential_of(double x) { return exp(x); }

template <class T>
struct Softmax {
  Computed<T>* largest;  // [pixels]
  Computed<T>* inverse;  // [pixels]: of the sum of e^(logit - largest)

  Softmax(Workspace& workspace, int64_t pixels)
      : largest(workspace.take<Computed<T>>(pixels)), inverse(workspace.take<Computed<T>>(pixels)) {}
};

// A warp a pixel, whose bins are neighbours.
template <class T>
__global__ void __launch_bounds__(kBlock, 4)
    bev_softmax_rows_kernel(const T* __restrict__ logits, int64_t pixels, int bins, int64_t stride,
                            Computed<T>* __restrict__ largest, Computed<T>* __restrict__ inverse) {
  using C = Computed<T>;
  const int64_t pixel = static_cast<int64_t>(blockIdx.x) * kWarps + threadIdx.x / kWarp;
  if (pixel >= pixels) return;
  const int lane = threadIdx.x % kWarp;
  logits += pixel * stride;
  C most = Larger::kStart;
  for (int bin = lane; bin < bins; bin += kWarp) most = Larger{}(most, computed(logits[bin]));
  most = warp_reduce<Larger>(most);
  C sum = 0;
  for (int bin = lane; bin < bins; bin += kWarp) sum += exponential_of(computed(logits[bin]) - most);
  sum = warp_sum(sum);
  if (lane == 0) {
    largest[pixel] = most;
    inverse[pixel] = 1 / sum;
  }
}

// 32 neighbouring pixels of an image a block, kSlices threads each.
template <class T>
__global__ void __launch_bounds__(kWarp* kSlices)
    bev_softmax_planes_kernel(const T* __restrict__ logits, int area, int bins,
                              Computed<T>* __restrict__ largest, Computed<T>* __restrict__ inverse) {
  using C = Computed<T>;
  TYTO_SHARED_ARRAY(C, partial, kSlices * kWarp);
  const int pixel = blockIdx.x * kWarp + threadIdx.x % kWarp, slice = threadIdx.x / kWarp;
  const int64_t image = blockIdx.y;
  const T* const plane = logits + image * bins * area + pixel;
  C most = Larger::kStart;
  if (pixel < area)
    for (int bin = slice; bin < bins; bin += kSlices)
      most = Larger{}(most, computed(plane[static_cast<int64_t>(bin) * area]));
  partial[threadIdx.x] = most;
  __syncthreads();
  most = partial[threadIdx.x % kWarp];
  for (int s = 1; s < kSlices; ++s) most = Larger{}(most, partial[s * kWarp + threadIdx.x % kWarp]);
  __syncthreads();
  C sum = 0;
  if (pixel < area)
    for (int bin = slice; bin < bins; bin += kSlices)
      sum += exponential_of(computed(plane[static_cast<int64_t>(bin) * area]) - most);
  partial[threadIdx.x] = sum;
  __syncthreads();
  if (slice > 0 || pixel >= area) return;
  for (int s = 1; s < kSlices; ++s) sum += partial[s * kWarp + threadIdx.x];
  largest[image * area + pixel] = most;
  inverse[image * area + pixel] = 1 / sum;
}

// What the pool reads and writes; pointers are moved to the block's sample.
template <class T>
struct Pool {
  const T* depth;
  const T* features;
  const Computed<T>* largest;  // null: depth holds weights
  const Computed<T>* inverse;
  const int32_t* cell_starts;
  const BevRun* runs;
  T* out;
  int32_t* winners;  // or null
  // Sizes. Of a sample, in elements, all are below 2^31.
  int height, width, bins, channels;
  bool bins_last;
  int depth_stride, feature_stride;
  int cells, capacity, levels;
  int64_t depth_sample, pixel_sample;  // from one sample to the next
  bool mean;
  bool channels_last;
  int64_t out_sample, out_block;  // ChannelBlocks' strides
  int out_pixel;                  // from pixel to pixel

  __device__ void move_to(int64_t sample) {
    depth += sample * depth_sample;
    features += sample * pixel_sample * feature_stride;
    if (largest != nullptr) largest += sample * pixel_sample, inverse += sample * pixel_sample;
    cell_starts += sample * (cells + 1);
    runs += sample * capacity;
    out += sample * out_sample;
    if (winners != nullptr) winners += sample * cells * channels;
  }
  __device__ Computed<T> weight(int pixel, int at) const {
    const Computed<T> d = computed(depth[at]);
    return largest == nullptr ? d : exponential_of(d - largest[pixel]) * inverse[pixel];
  }
};

// How a warp's lanes share a pixel's channels.
struct Lanes {
  int lane, packs, groups, group, pack;  // `groups` pixels at once; a lane of no group has group >= groups

  __device__ explicit Lanes(int packs_of_pixel)
      : lane(threadIdx.x % kWarp),
        packs(packs_of_pixel),
        groups(kWarp / packs),
        group(lane / packs),
        pack(lane % packs) {}
};

template <class T, int kPacked>
__device__ void load_channels(const T* from, Computed<T> (&to)[kPacked]) {
  if constexpr (kPacked == 1)
    to[0] = computed(*from);
  else
    load<kPacked>(from, to);
}

// The largest product and the place of its point in the order of (column, row), which decides between equals;
// a NaN is larger than all numbers.
template <class C>
struct Largest {
  C value = 0;
  int place = -1;

  __device__ void take(C v, int at) {
    if (at < 0) return;
    const bool larger = place < 0 || v > value || (v != v && value == value);
    const bool equal = v == value || (v != v && value != value);
    if (larger || (equal && at < place)) value = v, place = at;
  }
};

// What a lane holds of a cell: kPacked channels.
template <class T, int kPacked, bool kMax>
struct Held {
  Computed<T> sums[kPacked] = {};

  __device__ void add(Computed<T> weight, const T* features, int) {
    Computed<T> f[kPacked];
    load_channels<T, kPacked>(features, f);
#pragma unroll
    for (int i = 0; i < kPacked; ++i) sums[i] += weight * f[i];
  }
  __device__ Computed<T> value(int i) const { return sums[i]; }
  __device__ void set(int i, Computed<T> v, int) { sums[i] = v; }
  __device__ void join(int i, Computed<T> v, int) { sums[i] += v; }
  __device__ int place(int) const { return 0; }
};
template <class T, int kPacked>
struct Held<T, kPacked, true> {
  Largest<Computed<T>> best[kPacked] = {};

  __device__ void add(Computed<T> weight, const T* features, int place) {
    Computed<T> f[kPacked];
    load_channels<T, kPacked>(features, f);
#pragma unroll
    for (int i = 0; i < kPacked; ++i) best[i].take(weight * f[i], place);
  }
  __device__ Computed<T> value(int i) const { return best[i].value; }
  __device__ void set(int i, Computed<T> v, int place) { best[i] = {v, place}; }
  __device__ void join(int i, Computed<T> v, int place) { best[i].take(v, place); }
  __device__ int place(int i) const { return best[i].place; }
};

// Of a lane's run, what its first row's point has.
struct RunAtLane {
  int rows = 0, end = 0;  // of this run; of all up to it
  int pixel = 0, depth = 0, place = 0;
};

template <class T>
__device__ RunAtLane run_at(const Pool<T>& p, int index, bool there) {
  RunAtLane run;
  if (there) {
    Pack<int32_t, 2> words;  // BevRun
    copy_pack(*reinterpret_cast<const Pack<int32_t, 2>*>(p.runs + index), words);
    const int column = words.values[0], first = words.values[1] & 0xffff;
    run.rows = static_cast<int>(static_cast<uint32_t>(words.values[1]) >> 16);
    const int plane = column / p.width, camera = plane / p.bins, bin = plane - camera * p.bins,
              at = column - plane * p.width;
    run.pixel = (camera * p.height + first) * p.width + at;
    run.depth = p.bins_last ? run.pixel * p.depth_stride + bin : (plane * p.height + first) * p.width + at;
    run.place = column * p.height + first;
  }
  run.end = run.rows;
#pragma unroll
  for (int distance = 1; distance < kWarp; distance *= 2) {
    const int before = __shfl_up_sync(kFullWarp, run.end, distance);
    if (static_cast<int>(threadIdx.x % kWarp) >= distance) run.end += before;
  }
  return run;
}

// Adds the points of runs first .. last to what the warp's lanes hold, from the lane's first channel on;
// returns how many there are.
template <class T, int kPacked, bool kMax>
__device__ int add_runs(const Pool<T>& p, const Lanes& lanes, int first_channel, int first, int last,
                        Held<T, kPacked, kMax>& held) {
  const T* const features = p.features + first_channel;
  const int row_step = p.bins_last ? p.width * p.depth_stride : p.width;
  int points = 0;
  for (int base = first; base < last; base += kWarp) {
    const RunAtLane run = run_at(p, base + lanes.lane, base + lanes.lane < last);
    const int total = __shfl_sync(kFullWarp, run.end, kWarp - 1);
    points += total;
    for (int done = 0; done < total; done += kWarp) {
      const int point = done + lanes.lane;
      int of = 0;  // the first run that ends behind the point
#pragma unroll
      for (int step = kWarp / 2; step > 0; step /= 2)
        if (__shfl_sync(kFullWarp, run.end, of + step - 1) <= point) of += step;
      const int row = point - __shfl_sync(kFullWarp, run.end - run.rows, of);
      const int pixel = __shfl_sync(kFullWarp, run.pixel, of) + row * p.width;
      const int depth = __shfl_sync(kFullWarp, run.depth, of) + row * row_step;
      const int place = __shfl_sync(kFullWarp, run.place, of) + row;
      const Computed<T> weight = point < total ? p.weight(pixel, depth) : Computed<T>(0);
      const int count = min(kWarp, total - done);
#pragma unroll 4
      for (int i = 0; i < count; i += lanes.groups) {
        const int from = i + lanes.group;
        const Computed<T> w = __shfl_sync(kFullWarp, weight, from % kWarp);
        const int at = __shfl_sync(kFullWarp, pixel, from % kWarp);
        const int place_of = kMax ? __shfl_sync(kFullWarp, place, from % kWarp) : 0;
        if (lanes.group < lanes.groups && from < count)
          held.add(w, features + static_cast<int64_t>(at) * p.feature_stride, place_of);
      }
    }
  }
  // The groups' parts, in order, into the first group.
  for (int g = 1; g < lanes.groups; ++g)
#pragma unroll
    for (int i = 0; i < kPacked; ++i) {
      const int from = (lanes.lane + g * lanes.packs) % kWarp;
      const Computed<T> v = __shfl_sync(kFullWarp, held.value(i), from);
      const int place = kMax ? __shfl_sync(kFullWarp, held.place(i), from) : 0;
      if (lanes.group == 0) held.join(i, v, place);
    }
  return points;
}

// Shared memory: what each warp found of a cell that they share; where channels come first, the tile.
template <class T>
struct PoolMemory {
  Computed<T>* parts;  // [warps, channels of a chunk, by place in their pack: lanes meet no bank twice]
  Computed<T>* tile;   // [channels of a chunk, likewise, kTile + 1]
  int* places;         // as parts, of Max
  int* points;         // [warps]
  int* starts;         // [2, kTile]: of each pixel's cell, first and last run

  __host__ __device__ static int64_t bytes(int chunk, bool channels_last, bool max) {
    return static_cast<int64_t>(sizeof(Computed<T>)) * chunk * (kWarps + (channels_last ? 0 : kTile + 1)) +
           static_cast<int64_t>(sizeof(int)) * ((max ? kWarps * chunk : 0) + kWarps + 2 * kTile);
  }
  __device__ PoolMemory(unsigned char* memory, int chunk, bool channels_last, bool max)
      : parts(reinterpret_cast<Computed<T>*>(memory)),
        tile(parts + kWarps * chunk),
        places(reinterpret_cast<int*>(tile + (channels_last ? 0 : chunk * (kTile + 1)))),
        points(places + (max ? kWarps * chunk : 0)),
        starts(points + kWarps) {}
};

// A cell's channels, whole in the first group's lanes.
template <class T, int kPacked, bool kMax>
__device__ void hand_out(const Pool<T>& p, const Lanes& lanes, const PoolMemory<T>& memory, int tile_pixel,
                         int64_t pixel, int level, int first_channel, int points,
                         Held<T, kPacked, kMax>& held) {
  using C = Computed<T>;
  if (lanes.group > 0) return;
  C values[kPacked];
#pragma unroll
  for (int i = 0; i < kPacked; ++i)
    values[i] = !kMax && p.mean && points > 0 ? held.value(i) / C(points) : held.value(i);
  if (p.channels_last) {
    T* const to = p.out + pixel * p.out_pixel + level * p.channels + first_channel;
    if constexpr (kPacked == 1)
      *to = rounded_to<T>(values[0]);
    else
      store<kPacked>(values, to);
  } else {
#pragma unroll
    for (int i = 0; i < kPacked; ++i)
      memory.tile[(i * lanes.packs + lanes.pack) * (kTile + 1) + tile_pixel] = values[i];
  }
  if (!kMax || p.winners == nullptr) return;
  int32_t* const winners = p.winners + (pixel * p.levels + level) * p.channels + first_channel;
#pragma unroll
  for (int i = 0; i < kPacked; ++i) {
    const int place = held.place(i);
    int point = -1;
    if (place >= 0) {
      const int column = place / p.height, row = place - column * p.height, plane = column / p.width;
      point = (plane * p.height + row) * p.width + column - plane * p.width;
    }
    winners[i] = point;
  }
}

// A block a tile of pixels, a level and at most 32 packs of channels, and a sample.
template <class T, int kPacked, bool kMax>
__global__ void __launch_bounds__(kBlock, kMax ? 3 : 4)
    bev_pool_kernel(Pool<T> p, int packs, int chunks, int64_t pixels) {
  using C = Computed<T>;
  TYTO_SHARED_DYNAMIC(unsigned char, shared);
  p.move_to(blockIdx.z);
  const int level = blockIdx.y / chunks, first_pack = blockIdx.y % chunks * packs;
  const int here = min(packs, p.channels / kPacked - first_pack);  // packs of this chunk
  const PoolMemory<T> memory(shared, packs * kPacked, p.channels_last, kMax);
  const int64_t first_pixel = static_cast<int64_t>(blockIdx.x) * kTile;
  const int count = static_cast<int>(min(static_cast<int64_t>(kTile), pixels - first_pixel));
  const int warp = threadIdx.x / kWarp;
  const Lanes lanes(here);
  const int first_channel = (first_pack + lanes.pack) * kPacked;
  if (static_cast<int>(threadIdx.x) < count) {
    const int64_t cell = (first_pixel + threadIdx.x) * p.levels + level;
    memory.starts[threadIdx.x] = p.cell_starts[cell];
    memory.starts[kTile + threadIdx.x] = p.cell_starts[cell + 1];
  }
  __syncthreads();
  for (int i = warp; i < count; i += kWarps) {
    const int first = memory.starts[i], last = memory.starts[kTile + i];
    if (last - first > kSharedRuns) continue;
    Held<T, kPacked, kMax> held;
    const int points = add_runs(p, lanes, first_channel, first, last, held);
    hand_out(p, lanes, memory, i, first_pixel + i, level, first_channel, points, held);
  }
  for (int i = 0; i < count; ++i) {
    const int first = memory.starts[i], runs = memory.starts[kTile + i] - first;
    if (runs <= kSharedRuns) continue;
    const int slice = (runs + kWarps - 1) / kWarps, from = min(warp * slice, runs),
              to = min(from + slice, runs);
    Held<T, kPacked, kMax> held;
    const int points = add_runs(p, lanes, first_channel, first + from, first + to, held);
    if (lanes.lane == 0) memory.points[warp] = points;
    if (lanes.group == 0)
#pragma unroll
      for (int k = 0; k < kPacked; ++k) {
        const int at = (warp * kPacked + k) * packs + lanes.pack;
        memory.parts[at] = held.value(k);
        if (kMax) memory.places[at] = held.place(k);
      }
    __syncthreads();
    if (warp == i % kWarps) {
      int all = memory.points[0];
      for (int w = 1; w < kWarps; ++w) all += memory.points[w];
      Held<T, kPacked, kMax> sum;
      if (lanes.group == 0)
#pragma unroll 1
        for (int w = 0; w < kWarps; ++w)
#pragma unroll
          for (int k = 0; k < kPacked; ++k) {
            const int at = (w * kPacked + k) * packs + lanes.pack;
            sum.join(k, memory.parts[at], kMax ? memory.places[at] : 0);
          }
      hand_out(p, lanes, memory, i, first_pixel + i, level, first_channel, all, sum);
    }
    __syncthreads();
  }
  if (p.channels_last) {  // what a pixel has behind its channels
    const int used = p.levels * p.channels, padding = p.out_pixel - used;
    if (blockIdx.y == 0)
      for (int i = threadIdx.x; i < count * padding; i += kBlock)
        p.out[(first_pixel + i / padding) * p.out_pixel + used + i % padding] = rounded_to<T>(C(0));
    return;
  }
  __syncthreads();
  for (int i = threadIdx.x; i < here * kPacked * kTile; i += kBlock) {
    const int channel = i / kTile, pixel = i % kTile;
    if (pixel < count)
      p.out[(level * p.channels + first_pack * kPacked + channel) * p.out_block + first_pixel + pixel] =
          rounded_to<T>(memory.tile[(channel % kPacked * here + channel / kPacked) * (kTile + 1) + pixel]);
  }
}

template <class T>
void find_softmax(const LiftedMaps<const T>& maps, const Frustum& f, const Softmax<T>& softmax,
                  Stream stream) {
  const int64_t images = maps.samples * maps.cameras, area = int64_t{f.height} * f.width,
                pixels = images * area;
  const ScalarWork work = {.operations = 3.0 * static_cast<double>(pixels) * f.bins,
                           .exponentials = static_cast<double>(pixels) * f.bins};
  if (maps.bins == DepthBins::Last)
    launch<bev_softmax_rows_kernel<T>>(
        {.grid = blocks_for(pixels * kWarp, kBlock), .block = kBlock, .stream = stream, .work = work},
        maps.depth, pixels, f.bins, maps.depth_stride, softmax.largest, softmax.inverse);
  else
    launch<bev_softmax_planes_kernel<T>>(
        {.grid = dim3(blocks_for(area, kWarp), static_cast<unsigned>(images)),
         .block = kWarp * kSlices,
         .stream = stream,
         .work = work},
        maps.depth, checked_int(area, "the pixels of a map"), f.bins, softmax.largest, softmax.inverse);
}

template <class T, int kPacked, bool kMax>
void launch_pool(const Pool<T>& pool, int64_t samples, int64_t pixels, Stream stream) {
  const int all = pool.channels / kPacked, packs = std::min(all, kWarp), chunks = (all + packs - 1) / packs;
  const double points = static_cast<double>(samples) * pool.pixel_sample * pool.bins;
  launch<bev_pool_kernel<T, kPacked, kMax>>(
      {.grid = dim3(blocks_for(pixels, kTile), static_cast<unsigned>(chunks * pool.levels),
                    static_cast<unsigned>(samples)),
       .block = kBlock,
       .shared_bytes = static_cast<size_t>(PoolMemory<T>::bytes(packs * kPacked, pool.channels_last, kMax)),
       .stream = stream,
       .work = {.operations = 2 * points * pool.channels, .exponentials = pool.largest ? points : 0}},
      pool, packs, chunks, pixels);
}

template <class T, int kPacked>
void launch_pool(const Pool<T>& pool, bool max, int64_t samples, int64_t pixels, Stream stream) {
  if (max)
    launch_pool<T, kPacked, true>(pool, samples, pixels, stream);
  else
    launch_pool<T, kPacked, false>(pool, samples, pixels, stream);
}

}  // namespace

template <class T>
void bev_pool(const LiftedMaps<const T>& maps, const BevIndex& index, const BevPool& op,
              const ChannelBlocks<T>& out, int32_t* winners, void* memory, Stream stream) {
  const Frustum& f = op.frustum;
  const int64_t area = int64_t{f.height} * f.width, pixels = maps.cameras * area;
  if (maps.channels == 0) return;
  Workspace workspace(memory);
  const Softmax<T> softmax(workspace, op.logits ? maps.samples * pixels : 0);
  if (op.logits) find_softmax(maps, f, softmax, stream);
  const bool bins_last = maps.bins == DepthBins::Last, channels_last = out.block > 1 || out.channels == 1;
  const int64_t depth_sample = bins_last ? pixels * maps.depth_stride : pixels * f.bins;
  checked_int(pixels * maps.feature_stride, "the features of a sample");
  checked_int(depth_sample, "the depths of a sample");
  const Pool<T> pool = {
      .depth = maps.depth,
      .features = maps.features,
      .largest = op.logits ? softmax.largest : nullptr,
      .inverse = op.logits ? softmax.inverse : nullptr,
      .cell_starts = index.cell_starts,
      .runs = index.runs,
      .out = out.data,
      .winners = winners,
      .height = f.height,
      .width = f.width,
      .bins = f.bins,
      .channels = checked_int(maps.channels, "the channels of features"),
      .bins_last = bins_last,
      .depth_stride = bins_last ? checked_int(maps.depth_stride, "a pixel's bins") : 0,
      .feature_stride = checked_int(maps.feature_stride, "a pixel's channels"),
      .cells = checked_int(op.grid.size(), "the cells of a grid"),
      .capacity = checked_int(bev_run_capacity(f, maps.cameras), "the points of a sample"),
      .levels = op.grid.levels(),
      .depth_sample = depth_sample,
      .pixel_sample = pixels,
      .mean = op.reduction == BevReduction::Mean,
      .channels_last = channels_last,
      .out_sample = out.image_stride,
      .out_block = out.block_stride,
      .out_pixel = checked_int(out.block, "a pixel's channels"),
  };
  const bool max = op.reduction == BevReduction::Max;
  const int64_t grid_pixels = int64_t{op.grid.rows()} * op.grid.columns();
  if constexpr (!std::is_same_v<T, double>) {
    if (packable<kPack<T>>(maps.channels, maps.features, channels_last ? out.data : nullptr) &&
        maps.feature_stride % kPack<T> == 0 && (!channels_last || out.block % kPack<T> == 0))
      return launch_pool<T, kPack<T>>(pool, max, maps.samples, grid_pixels, stream);
  }
  launch_pool<T, 1>(pool, max, maps.samples, grid_pixels, stream);
}

template <class T>
int64_t bev_pool_workspace(const BevPool& op, int64_t samples, int64_t cameras, int64_t) {
  Workspace workspace;
  const Softmax<T> measured(workspace,
                            op.logits ? samples * cameras * op.frustum.height * op.frustum.width : 0);
  return workspace.bytes();
}

#define TYTO_INSTANTIATE(T)                                                           \
  template void bev_pool(const LiftedMaps<const T>&, const BevIndex&, const BevPool&, \
                         const ChannelBlocks<T>&, int32_t*, void*, Stream);           \
  template int64_t bev_pool_workspace<T>(const BevPool&, int64_t, int64_t, int64_t);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
TYTO_INSTANTIATE(Half)
TYTO_INSTANTIATE(BFloat16)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels
