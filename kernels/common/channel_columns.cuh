// How the threads of a kernel that reduces an NHWC map's pixels channel by channel stand over it: a block owns 64 bytes
// of channels, two whole sectors a pixel, and its groups of four threads share the pixels. Narrow, because a batch of
// one must fill the GPU by its channels alone: 2048 channels in fp16 are 64 blocks.
#pragma once

#include <cstdint>

#include "kernels/common/launch.h"
#include "kernels/common/reduce.cuh"

namespace tyto::kernels {

inline constexpr int kColumnBlock = 256;
inline constexpr int kColumnWarps = kColumnBlock / kWarp;

// Packs of N channels in a block; of single channels as many as a warp reads at once. Thread t owns pack
// t % kColumnPacks of every pixel that is t / kColumnPacks modulo kColumnBlock / kColumnPacks; lanes of one pack lie
// kColumnPacks apart.
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

}  // namespace tyto::kernels
