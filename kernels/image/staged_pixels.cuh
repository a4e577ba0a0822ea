// RGB pixels by way of shared memory. A row of 3-byte pixels starts at any byte; a thread that took its own
// three from global memory would ask for a third of each sector thrice. Here a block loads a stretch of bytes
// in 16-byte vectors, and stores its pixels in 4-byte words.
#pragma once

#include <cstdint>
#include <string>

#include "kernels/common/launch.h"

namespace tyto::kernels {

constexpr int kPixelThreads = 128;  // of a block; each makes one pixel

// Tiles of as many pixels along a row, as the y of a grid.
inline unsigned pixel_tiles(int64_t width) {
  constexpr int64_t limit = 65535;
  if (width > limit * kPixelThreads)
    throw DeviceError("a row of " + std::to_string(width) + " pixels exceeds " +
                      std::to_string(limit * kPixelThreads));
  return blocks_for(width, kPixelThreads);
}

// What one stage holds: a stretch of pixels and, before it, the bytes since the 16-byte boundary.
constexpr int kStagePixels = 512;
constexpr int kStageVectors = (15 + 3 * kStagePixels + 15) / 16;

struct DeviceImage {
  const uint8_t* data;  // [height, width, 3]
  int height, width;

  __device__ int64_t bytes() const { return int64_t{3} * height * width; }
  __device__ int64_t offset(int y, int x) const { return (static_cast<int64_t>(y) * width + x) * 3; }
  // Bytes from the 16-byte boundary to byte `at`.
  __device__ int lead(int64_t at) const {
    return static_cast<int>((reinterpret_cast<uintptr_t>(data) + static_cast<uint64_t>(at)) % 16);
  }
};

// 16 bytes from `at` on, which is on a boundary; 0 where the image does not reach.
__device__ inline uint4 load_vector(const DeviceImage& image, int64_t at) {
  if (at >= 0 && at + 16 <= image.bytes()) return *reinterpret_cast<const uint4*>(image.data + at);
  uint32_t words[4] = {};
#pragma unroll
  for (int b = 0; b < 16; ++b)
    if (at + b >= 0 && at + b < image.bytes())
      words[b / 4] |= static_cast<uint32_t>(image.data[at + b]) << 8 * (b % 4);
  return make_uint4(words[0], words[1], words[2], words[3]);
}

// Copies `count` pixels from pixel (y, x) on to `stage`, as thread `lane` of `lanes`: they start at byte
// image.lead(image.offset(y, x)) of it.
__device__ inline void stage_pixels(const DeviceImage& image, int y, int x, int count, uint4* stage, int lane,
                                    int lanes) {
  const int64_t at = image.offset(y, x);
  const int lead = image.lead(at);
  const int vectors = (lead + 3 * count + 15) / 16;
  for (int v = lane; v < vectors; v += lanes) stage[v] = load_vector(image, at - lead + 16 * v);
}

// The pixel at this byte of a stage, red in the lowest byte; the highest is another pixel's.
__device__ inline uint32_t staged_pixel(const uint4* stage, int byte) {
  const uint32_t* words = reinterpret_cast<const uint32_t*>(stage) + byte / 4;
  const int shift = 8 * (byte % 4);
  const uint64_t next = shift > 8 ? words[1] : 0;
  return static_cast<uint32_t>((next << 32 | words[0]) >> shift);
}

__device__ inline int channel(uint32_t pixel, int c) { return static_cast<int>(pixel >> 8 * c & 255); }

// The four pixels that a bilinear output blends.
struct Corners {
  uint32_t top[2], bottom[2];  // left, right
};

// Each thread of the block gets the pixels of two rows at its own columns left and right. All columns that
// the block asks for lie in begin..end-1.
__device__ inline Corners gather_corners(const DeviceImage& image, int top, int bottom, int left, int right,
                                         int begin, int end) {
  TYTO_SHARED_ARRAY(uint4, stage, 2 * kStageVectors);
  constexpr int lanes = kPixelThreads / 2;
  const int half = static_cast<int>(threadIdx.x) / lanes, lane = static_cast<int>(threadIdx.x) % lanes;
  Corners corners = {};
  for (int x = begin; x < end; x += kStagePixels) {
    const int count = end - x < kStagePixels ? end - x : kStagePixels;
    stage_pixels(image, half == 0 ? top : bottom, x, count, stage + half * kStageVectors, lane, lanes);
    __syncthreads();
    const int above = image.lead(image.offset(top, x)), below = image.lead(image.offset(bottom, x));
    for (int side = 0; side < 2; ++side) {
      const int column = (side == 0 ? left : right) - x;
      if (column < 0 || column >= count) continue;
      corners.top[side] = staged_pixel(stage, above + 3 * column);
      corners.bottom[side] = staged_pixel(stage + kStageVectors, below + 3 * column);
    }
    __syncthreads();  // before the next stretch takes the stage
  }
  return corners;
}

// Writes the pixels of the first `count` threads, one each, to `to`, which starts at any byte. All threads of
// the block call.
__device__ inline void store_pixels(uint8_t* to, int count, uint32_t pixel) {
  TYTO_SHARED_ARRAY(uint32_t, words, kPixelThreads * 3 / 4 + 1);
  uint8_t* bytes = reinterpret_cast<uint8_t*>(words);
  const int lead = static_cast<int>(reinterpret_cast<uintptr_t>(to) % 4), end = lead + 3 * count;
  const int i = static_cast<int>(threadIdx.x);
  if (i < count)
    for (int c = 0; c < 3; ++c) bytes[lead + 3 * i + c] = static_cast<uint8_t>(channel(pixel, c));
  __syncthreads();
  for (int w = i; 4 * w < end; w += static_cast<int>(blockDim.x)) {
    if (4 * w >= lead && 4 * w + 4 <= end) {
      *reinterpret_cast<uint32_t*>(to + (4 * w - lead)) = words[w];
    } else {
      for (int b = 4 * w; b < 4 * w + 4; ++b)
        if (b >= lead && b < end) to[b - lead] = bytes[b];
    }
  }
}

}  // namespace tyto::kernels
