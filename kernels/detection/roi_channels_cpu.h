// How the CPU walks the channels of a map and of its regions' features, whose layouts may differ.
#pragma once

#include <algorithm>

#include "kernels/common/channel_blocks.h"

namespace tyto::kernels {

// Calls body(first, count) for the longest runs of channels that lie side by side in both.
template <class A, class B, class Body>
void for_each_run(const ChannelBlocks<A>& a, const ChannelBlocks<B>& b, const Body& body) {
  for (int64_t c = 0; c < a.channels;) {
    const int64_t count = std::min({a.channels - c, a.block - c % a.block, b.block - c % b.block});
    body(c, count);
    c += count;
  }
}

// Of cell (0, 0) of a channel.
template <class T>
T* channel_of(const ChannelBlocks<T>& b, int64_t image, int64_t channel) {
  return b.at(image, channel / b.block) + channel % b.block;
}

// Every channel of an image, padding included, of `data`, which is laid out as `b` is.
template <class T>
void fill_image(const ChannelBlocks<float>& b, T* data, int64_t image, T value) {
  for (int64_t block = 0; block < b.blocks(); ++block)
    std::fill_n(data + (b.at(image, block) - b.data), b.area() * b.block, value);
}

}  // namespace tyto::kernels
