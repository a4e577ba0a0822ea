// A batch in any layout of ChannelBlocks, filled and read by logical position.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/common/channel_blocks.h"

namespace tyto::kernels {

struct BatchShape {
  int64_t n, channels, height, width;
};

// block 0: one block of all channels (NHWC); 1: NCHW; 8, 16: blocked, the last block padded with zeros.
class BlockedBatch {
 public:
  BlockedBatch(const BatchShape& s, int64_t block) {
    view_ = {nullptr, s.n, s.channels, s.height, s.width, block == 0 ? s.channels : block, 0, 0};
    view_.block_stride = s.height * s.width * view_.block;
    view_.image_stride = view_.blocks() * view_.block_stride;
    values_.assign(static_cast<size_t>(s.n * view_.image_stride), 0.0f);
    view_.data = values_.data();
  }

  float& at(int64_t i, int64_t c, int64_t y, int64_t x) {
    return view_.at(i, c / view_.block)[(y * view_.width + x) * view_.block + c % view_.block];
  }

  // The same numbers at the same logical positions whatever the block; |v| <= 2.
  void fill(uint32_t seed) {
    for (int64_t i = 0; i < view_.n; ++i)
      for (int64_t c = 0; c < view_.channels; ++c)
        for (int64_t y = 0; y < view_.height; ++y)
          for (int64_t x = 0; x < view_.width; ++x)
            at(i, c, y, x) =
                static_cast<float>((seed = seed * 1664525u + 1013904223u) >> 8) * 0x1p-22f - 2.0f;
  }

  const ChannelBlocks<float>& view() const { return view_; }
  ChannelBlocks<const float> read() const { return as_const(view_); }

 private:
  ChannelBlocks<float> view_;
  std::vector<float> values_;
};

inline std::vector<BatchShape> unkind_shapes() {
  return {{1, 1, 1, 1},   {2, 3, 5, 7},  {1, 8, 4, 4}, {3, 17, 1, 9},
          {1, 33, 13, 2}, {2, 16, 3, 3}, {0, 4, 3, 3}, {1, 64, 16, 8}};
}
inline std::vector<int64_t> blocks() { return {0, 1, 8, 16}; }

}  // namespace tyto::kernels
