// How the CPU walks the channels of a map and of its regions' features, whose layouts may differ.
#pragma once

#include <algorithm>
#include <vector>

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

// Floats from channel `from` to channel `to`.
template <class T>
int64_t channels_apart(const ChannelBlocks<T>& b, int64_t from, int64_t to) {
  const auto place = [&](int64_t c) { return c / b.block * b.block_stride + c % b.block; };
  return place(to) - place(from);
}

// Runs of 16, 8 or 1 channels that follow one another at equal distances.
struct ChannelGroups {
  int64_t first, lanes, count;      // the first channel, channels of a run, runs
  int64_t map_step, features_step;  // floats from one run to the next
};

// All channels, cut so that vectors of them can be worked on several at a time, whatever the blocks are.
template <class A, class B>
std::vector<ChannelGroups> channel_groups(const ChannelBlocks<A>& map, const ChannelBlocks<B>& features) {
  std::vector<ChannelGroups> all;
  for_each_run(map, features, [&](int64_t first, int64_t count) {
    for (const int64_t end = first + count; first < end;) {
      const int64_t left = end - first, lanes = left >= 16 ? 16 : left >= 8 ? 8 : 1;
      const bool follows = !all.empty() && all.back().lanes == lanes;
      const int64_t before = first - lanes;
      const int64_t map_step = follows ? channels_apart(map, before, first) : 0;
      const int64_t features_step = follows ? channels_apart(features, before, first) : 0;
      ChannelGroups* last = follows ? &all.back() : nullptr;
      if (last && last->count == 1) last->map_step = map_step, last->features_step = features_step;
      if (last && last->map_step == map_step && last->features_step == features_step)
        ++last->count;
      else
        all.push_back({first, lanes, 1, 0, 0});
      first += lanes;
    }
  });
  return all;
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
