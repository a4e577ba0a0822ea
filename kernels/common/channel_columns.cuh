// How the threads of a kernel that reduces an NHWC map's pixels channel by channel stand over it: a block
// owns 64 bytes of channels, two whole sectors a pixel, and its groups of four threads share the pixels.
// Narrow, because a batch of one must fill the GPU by its channels alone: 2048 channels in fp16 are 64
// blocks.
#pragma once

#include <cstdint>

#include "kernels/common/elements.cuh"
#include "kernels/common/launch.h"
#include "kernels/common/reduce.cuh"
#include "kernels/common/stream.h"

namespace tyto::kernels {

inline constexpr int kColumnBlock = 256;
inline constexpr int kColumnWarps = kColumnBlock / kWarp;

// Packs of N channels in a block; of single channels as many as a warp reads at once. Thread t owns pack
// t % kColumnPacks of every pixel that is t / kColumnPacks modulo kColumnBlock / kColumnPacks; lanes of one
// pack lie kColumnPacks apart.
template <int N>
inline constexpr int kColumnPacks = N == 1 ? kWarp : 4;
template <int N>
inline constexpr int kColumnChannels = kColumnPacks<N>* N;

// A block for each kColumnChannels channels, and so for each of n images; channels run fastest.
template <int N>
LaunchConfig cover_columns(int64_t n, int64_t channels, Stream stream) {
  const int64_t chunks = (channels + kColumnChannels<N> - 1) / kColumnChannels<N>;
  return {.grid = blocks_for(n * chunks, 1), .block = kColumnBlock, .stream = stream};
}

// f(value) of an image's pixels combined, by the whole block and always in the same order: lanes with
// shuffles, the warps through shared memory. x: the image's first pixel; first: the block's first channel;
// partial: shared, [kColumnWarps * kColumnChannels<N>]. Thread t < kColumnChannels<N> gets that of channel
// first + t, where there is one.
template <class Combine, int N, class T, class F>
__device__ inline float column_reduce(const T* x, int area, int channels, int first, float* partial,
                                      const F& f) {
  constexpr int kPacks = kColumnPacks<N>, kChannels = kColumnChannels<N>;
  const int thread = threadIdx.x, pack = thread % kPacks, channel = first + pack * N;
  float mine[N];
#pragma unroll
  for (int i = 0; i < N; ++i) mine[i] = Combine::kStart;
  if (channel < channels) {
#pragma unroll 4
    for (int p = thread / kPacks; p < area; p += kColumnBlock / kPacks) {
      float v[N];
      load<N>(x + p * channels + channel, v);
#pragma unroll
      for (int i = 0; i < N; ++i) mine[i] = Combine{}(mine[i], f(v[i]));
    }
  }
#pragma unroll
  for (int i = 0; i < N; ++i)
#pragma unroll
    for (int distance = kWarp / 2; distance >= kPacks; distance /= 2)
      mine[i] = Combine{}(mine[i], __shfl_xor_sync(kFullWarp, mine[i], distance));
  if (thread % kWarp < kPacks)
#pragma unroll
    for (int i = 0; i < N; ++i) partial[thread / kWarp * kChannels + pack * N + i] = mine[i];
  __syncthreads();

  float all = Combine::kStart;
  if (thread >= kChannels) return all;
#pragma unroll
  for (int warp = 0; warp < kColumnWarps; ++warp) all = Combine{}(all, partial[warp * kChannels + thread]);
  return all;
}

}  // namespace tyto::kernels
