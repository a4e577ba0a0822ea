// A float image batch [n, channels, height, width] whose channels are stored in blocks. One description
// serves NCHW (block 1), NHWC (one block of all channels) and the blocked layouts between (nChw8c, nChw16c).
#pragma once

#include <cstdint>

namespace tyto::kernels {

// Element (i, c, y, x) stands at i * image_stride + (c / block) * block_stride + (y * width + x) * block + c
// % block.
template <class T>
struct ChannelBlocks {
  T* data = nullptr;
  int64_t n = 0, channels = 0, height = 0, width = 0;
  int64_t block = 1;         // channels beyond `channels` in the last block are padding
  int64_t image_stride = 0;  // elements
  int64_t block_stride = 0;  // elements

  int64_t blocks() const { return (channels + block - 1) / block; }
  int64_t area() const { return height * width; }
  T* at(int64_t i, int64_t b) const { return data + i * image_stride + b * block_stride; }
};

template <class T>
ChannelBlocks<const T> as_const(const ChannelBlocks<T>& b) {
  return {b.data, b.n, b.channels, b.height, b.width, b.block, b.image_stride, b.block_stride};
}

}  // namespace tyto::kernels
