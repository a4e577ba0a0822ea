// From 8-bit pixels to a network's float planes.
#pragma once

#include <array>
#include <cstdint>

#include "kernels/common/stream.h"

namespace tyto::kernels {

enum class ChannelOrder : uint8_t { RGB, BGR };

struct NormalizeParams {
  ChannelOrder order = ChannelOrder::RGB;  // of the planes; pixels are RGB
  float scale = 1.0f / 255;                // 1.0f / 255: divides by 255, as torchvision's ToTensor
  std::array<float, 3> mean = {0, 0, 0};   // in plane order
  std::array<float, 3> std = {1, 1, 1};    // not 0
};

// (v * scale - mean) / std for every 8-bit v, each operation rounded to float in this order: what
// torchvision's ToTensor and Normalize compute, bit for bit.
struct NormalizeTable {
  std::array<std::array<float, 256>, 3> value;  // [plane][v]
  std::array<int, 3> channel;                   // of the pixel, for each plane
};
NormalizeTable make_normalize_table(const NormalizeParams&);

// pixels [count, 3]     RGB
// planes [3, count]
void normalize_cpu(const uint8_t* pixels, int64_t count, const NormalizeTable&, float* planes);

// The same bits on CUDA, from and to device memory.
void normalize(const uint8_t* pixels, int64_t count, const NormalizeParams&, float* planes, Stream);

}  // namespace tyto::kernels
