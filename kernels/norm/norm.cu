// Group and instance normalisation and per-channel affine maps over channels-last maps.
//
// Group normalisation is three launches. The statistics: a block owns 64 bytes of channels and a slice of an
// image's pixels, each thread updates a mean and a sum of squared deviations (Welford 1962), and threads are
// combined pairwise (Chan, Golub and LeVeque 1979) by shuffles and warps, later slices and a group's channels
// one after the other. That reads x once and, other than sums of x and x^2, survives a mean that is large
// beside the deviation. The coefficients: two numbers a channel of an image, 1 and 0 for channels that pass.
// The map x * scale + shift: that of channel_affine.
//
// Cost: the affine map reads x and writes y once, group normalisation reads x twice. Bound by memory; a
// single group of hundreds of channels adds some microseconds, in which each thread walks them all.
#include "kernels/norm/norm.h"

#include <algorithm>

#include "kernels/common/channel_columns.cuh"
#include "kernels/common/elements.cuh"
#include "kernels/common/launch.h"

namespace tyto::kernels {
namespace {

constexpr int kBlock = 256;
constexpr int kPixels = 4;  // of one thread of the affine map: it reads its coefficients once for four

// y = activation(x * scale + shift), coefficients [1 or n, channels]. x and y may be one array: each element
// is read by the thread that writes it.
template <class T, int N>
__global__ void __launch_bounds__(kBlock)
    affine_kernel(const T* x, const float* __restrict__ scale, const float* __restrict__ shift,
                  bool per_image, int n, int area, int channels, Activation activation, T* y) {
  const unsigned packs = channels / N, groups = (area + kPixels - 1) / kPixels;
  const unsigned thread = blockIdx.x * kBlock + threadIdx.x;
  const unsigned group = thread / packs, image = group / groups;
  if (image >= static_cast<unsigned>(n)) return;
  const int channel = thread % packs * N, first = group % groups * kPixels;
  const int coefficients = (per_image ? image * channels : 0) + channel,
            at = (image * area + first) * channels + channel;

  float a[N], b[N];
  load<N>(scale + coefficients, a);
  load<N>(shift + coefficients, b);
  float v[kPixels][N];
#pragma unroll
  for (int p = 0; p < kPixels; ++p)
    if (first + p < area) load<N>(x + at + p * channels, v[p]);
#pragma unroll
  for (int p = 0; p < kPixels; ++p) {
    if (first + p >= area) break;
#pragma unroll
    for (int i = 0; i < N; ++i) v[p][i] = v[p][i] * a[i] + b[i];
    activate(v[p], activation);
    store<N>(v[p], y + at + p * channels);
  }
}

template <class T>
void affine(Nhwc<const T> x, const float* scale, const float* shift, bool per_image, Activation activation,
            T* y, Stream stream) {
  if (checked_int(x.elements(), "activations") == 0) return;
  const int64_t area = x.height * x.width;
  const auto go = [&]<int N>() {
    const int64_t threads = x.n * ((area + kPixels - 1) / kPixels) * (x.channels / N);
    launch<affine_kernel<T, N>>({.grid = blocks_for(threads, kBlock), .block = kBlock, .stream = stream},
                                x.data, scale, shift, per_image, static_cast<int>(x.n),
                                static_cast<int>(area), static_cast<int>(x.channels), activation, y);
  };
  // 16 bytes of coefficients: more would be read in two strides, half a sector each.
  constexpr int N = kPack<float>;
  if (packable<N>(x.channels, x.data, y, scale, shift))
    go.template operator()<N>();
  else
    go.template operator()<1>();
}

struct Moments {
  float count, mean, squares;  // squared deviations from the mean, added
};

__device__ Moments combined(const Moments& a, const Moments& b) {
  const float count = a.count + b.count;
  if (count == 0) return a;
  const float delta = b.mean - a.mean, weight = b.count / count;
  return {count, a.mean + delta * weight, a.squares + b.squares + delta * delta * a.count * weight};
}

// An image's pixels are cut into slices so that blocks fill the GPU at batch 1 too; by the map's size alone,
// so that results do not depend on the batch.
struct Slices {
  int length = 0, count = 0;
};

Slices slices_of(int64_t area) {
  constexpr int64_t kShortest = 256, kMax = 64;
  const int64_t length = std::max(kShortest, (area + kMax - 1) / kMax);
  return {static_cast<int>(length), static_cast<int>((area + length - 1) / length)};
}

// moments [n, slices, 2, count]: mean, squares
template <class T, int N>
__global__ void __launch_bounds__(kColumnBlock)
    moments_kernel(const T* __restrict__ x, int area, int channels, int count, Slices slices,
                   float* __restrict__ moments) {
  constexpr int kPacks = kColumnPacks<N>, kChannels = kColumnChannels<N>;
  TYTO_SHARED_ARRAY(Moments, partial, kColumnWarps * kChannels);
  const int chunks = (count + kChannels - 1) / kChannels;
  const int first = blockIdx.x % chunks * kChannels, slice_of_all = blockIdx.x / chunks;
  const int image = slice_of_all / slices.count, slice = slice_of_all % slices.count;
  const int thread = threadIdx.x, pack = thread % kPacks, channel = first + pack * N;

  float seen = 0, mean[N] = {}, squares[N] = {};
  if (channel < count) {
    const T* from = x + image * area * channels + channel;
    const int end = min((slice + 1) * slices.length, area);
#pragma unroll 4
    for (int p = slice * slices.length + thread / kPacks; p < end; p += kColumnBlock / kPacks) {
      float v[N];
      load<N>(from + p * channels, v);
      seen += 1;
      const float weight = 1 / seen;
#pragma unroll
      for (int i = 0; i < N; ++i) {
        const float delta = v[i] - mean[i];
        mean[i] += delta * weight;
        squares[i] += delta * (v[i] - mean[i]);
      }
    }
  }
#pragma unroll
  for (int i = 0; i < N; ++i) {
    Moments mine = {seen, mean[i], squares[i]};
#pragma unroll
    for (int distance = kWarp / 2; distance >= kPacks; distance /= 2) {
      const Moments other = {__shfl_xor_sync(kFullWarp, mine.count, distance),
                             __shfl_xor_sync(kFullWarp, mine.mean, distance),
                             __shfl_xor_sync(kFullWarp, mine.squares, distance)};
      mine = combined(mine, other);
    }
    if (thread % kWarp < kPacks) partial[thread / kWarp * kChannels + pack * N + i] = mine;
  }
  __syncthreads();

  if (thread >= kChannels || first + thread >= count) return;
  Moments all = {0, 0, 0};
  for (int warp = 0; warp < kColumnWarps; ++warp) all = combined(all, partial[warp * kChannels + thread]);
  float* to = moments + static_cast<int64_t>(slice_of_all) * 2 * count + first + thread;
  to[0] = all.mean;
  to[count] = all.squares;
}

// The channels of a block of the next kernel: whole groups.
struct Chunks {
  int normalized, width;  // channels; of each group
  int channels;           // of all blocks but an image's last
};

Chunks chunks_of(const GroupNorm& params) {
  const int normalized = static_cast<int>(params.channels);
  const int width = std::max(normalized / static_cast<int>(params.groups), 1);
  return {normalized, width, std::max(kBlock / width, 1) * width};
}

// Coefficients [n, channels] of the normalisation. A thread joins the slices of its channel, or of every
// 256th of a wider group, and then what the threads of its group have joined.
__global__ void __launch_bounds__(kBlock)
    coefficients_kernel(const float* __restrict__ moments, const float* __restrict__ scale,
                        const float* __restrict__ shift, int area, int channels, Chunks chunks, Slices slices,
                        float epsilon, float* __restrict__ a, float* __restrict__ b) {
  TYTO_SHARED_ARRAY(Moments, joined, kBlock);
  const int per_image = (channels + chunks.channels - 1) / chunks.channels, thread = threadIdx.x;
  const int image = blockIdx.x / per_image, first = blockIdx.x % per_image * chunks.channels;
  const int end = min(first + chunks.channels, channels), count = chunks.normalized;

  Moments mine = {0, 0, 0};
  for (int c = first + thread; c < end && c < count; c += kBlock) {
    const float* from = moments + static_cast<int64_t>(image) * slices.count * 2 * count + c;
    for (int slice = 0; slice < slices.count; ++slice, from += 2 * count) {
      const int pixels = min(slices.length, area - slice * slices.length);
      mine = combined(mine, {static_cast<float>(pixels), from[0], from[count]});
    }
  }
  joined[thread] = mine;
  __syncthreads();

  if (first + thread >= end) return;
  const int sharers = min(chunks.width, kBlock), from = thread / sharers * sharers;
  Moments all = {0, 0, 0};
  for (int t = from; t < from + sharers; ++t) all = combined(all, joined[t]);
  const float rstd = 1 / sqrtf(all.squares / all.count + epsilon);
  for (int c = first + thread; c < end; c += kBlock) {
    const bool passes = c >= count;
    const float by = passes ? 1 : scale ? scale[c] * rstd : rstd;
    a[image * channels + c] = by;
    b[image * channels + c] = passes ? 0 : (shift ? shift[c] : 0) - all.mean * by;
  }
}

}  // namespace

int64_t group_norm_workspace_bytes(int64_t n, int64_t height, int64_t width, int64_t channels) {
  const int64_t moments = 2 * slices_of(height * width).count, coefficients = 2;
  return n * channels * (coefficients + moments) * static_cast<int64_t>(sizeof(float));
}

template <class T>
void group_norm(Nhwc<const T> x, const float* scale, const float* shift, const GroupNorm& params, T* y,
                void* workspace, Stream stream) {
  if (checked_int(x.elements(), "activations") == 0) return;
  const int area = static_cast<int>(x.height * x.width), channels = static_cast<int>(x.channels);
  const Slices slices = slices_of(area);
  const Chunks chunks = chunks_of(params);
  float* a = static_cast<float*>(workspace);
  float *b = a + x.n * x.channels, *moments = b + x.n * x.channels;
  const auto gather = [&]<int N>() {
    launch<moments_kernel<T, N>>(cover_columns<N>(x.n * slices.count, params.channels, stream), x.data, area,
                                 channels, chunks.normalized, slices, moments);
  };
  if (packable<kPack<T>>(x.channels, x.data))
    gather.template operator()<kPack<T>>();
  else
    gather.template operator()<1>();
  const int64_t per_image = (x.channels + chunks.channels - 1) / chunks.channels;
  launch<coefficients_kernel>({.grid = blocks_for(x.n * per_image, 1), .block = kBlock, .stream = stream},
                              moments, scale, shift, area, channels, chunks, slices, params.epsilon, a, b);
  affine<T>(x, a, b, true, params.activation, y, stream);
}

template <class T>
void channel_affine(Nhwc<const T> x, const float* scale, const float* shift, Activation activation, T* y,
                    Stream stream) {
  affine<T>(x, scale, shift, false, activation, y, stream);
}

template void group_norm<float>(Nhwc<const float>, const float*, const float*, const GroupNorm&, float*,
                                void*, Stream);
template void group_norm<Half>(Nhwc<const Half>, const float*, const float*, const GroupNorm&, Half*, void*,
                               Stream);
template void group_norm<BFloat16>(Nhwc<const BFloat16>, const float*, const float*, const GroupNorm&,
                                   BFloat16*, void*, Stream);
template void channel_affine<float>(Nhwc<const float>, const float*, const float*, Activation, float*,
                                    Stream);
template void channel_affine<Half>(Nhwc<const Half>, const float*, const float*, Activation, Half*, Stream);
template void channel_affine<BFloat16>(Nhwc<const BFloat16>, const float*, const float*, Activation,
                                       BFloat16*, Stream);

}  // namespace tyto::kernels
