// A random NHWC batch on the host and on the device under test, and how far a result of type T may lie from
// the truth.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

#include "kernels/common/channel_blocks.h"
#include "kernels/common/nhwc.h"
#include "kernels/cuda/device_array.h"
#include "kernels/cuda/random_values.h"

namespace tyto::kernels {

using ElementTypes = ::testing::Types<float, __half, __nv_bfloat16>;

struct MapShape {
  int64_t n, height, width, channels;

  int64_t elements() const { return n * height * width * channels; }
};

// One element, primes, a pack, one past a pack, one past a tile, none.
inline std::vector<MapShape> awkward_shapes() {
  return {{1, 1, 1, 1},  {2, 5, 7, 3},   {1, 4, 4, 8},  {3, 1, 9, 17}, {1, 13, 2, 33},
          {2, 3, 3, 16}, {1, 16, 8, 64}, {2, 6, 5, 40}, {0, 3, 3, 4},  {2, 1, 1, 24}};
}

// Enough images that cover_map has no need to cut its blocks finer than they get.
inline constexpr MapShape kManyImages[] = {{257, 3, 1, 8}, {257, 1, 5, 1}};

template <class T>
std::vector<T> drop_first(std::vector<T> values, int64_t count) {
  values.erase(values.begin(), values.begin() + count);
  return values;
}

inline std::vector<float> behind(int64_t count, const std::vector<float>& values) {
  std::vector<float> all(static_cast<size_t>(count));
  all.insert(all.end(), values.begin(), values.end());
  return all;
}

// Elements that a map's address may lie past an aligned one.
inline constexpr int64_t kUnaligned = 1;

// NHWC floats as a CPU twin sees them.
template <class T>
ChannelBlocks<T> nhwc_blocks(T* data, const MapShape& s) {
  return {data, s.n, s.channels, s.height, s.width, s.channels, s.height * s.width * s.channels, 0};
}
inline ChannelBlocks<float> blocks_of(std::vector<float>& values, const MapShape& s) {
  return nhwc_blocks(values.data(), s);
}

template <class T>
class NhwcBatch {
 public:
  explicit NhwcBatch(const MapShape& shape, uint32_t seed = 1, int64_t offset = 0)
      : NhwcBatch(shape, random_floats(shape.elements(), seed), offset) {}
  NhwcBatch(const MapShape& shape, const std::vector<float>& values, int64_t offset = 0)
      : shape_(shape),
        offset_(offset),
        values_(floats(rounded<T>(values))),
        device_(rounded<T>(behind(offset, values))) {}

  float at(int64_t i, int64_t y, int64_t x, int64_t c) const {
    return values_[static_cast<size_t>(((i * shape_.height + y) * shape_.width + x) * shape_.channels + c)];
  }
  bool inside(int64_t y, int64_t x) const {
    return y >= 0 && x >= 0 && y < shape_.height && x < shape_.width;
  }

  Nhwc<const T> read() const {
    return {device_.data() + offset_, shape_.n, shape_.height, shape_.width, shape_.channels};
  }
  T* data() { return device_.data() + offset_; }
  const std::vector<float>& values() const { return values_; }
  ChannelBlocks<const float> blocks() const { return nhwc_blocks(values_.data(), shape_); }
  std::vector<float> download() const { return floats(drop_first(device_.download(), offset_)); }

 private:
  MapShape shape_;
  int64_t offset_;
  std::vector<float> values_;
  DeviceArray<T> device_;
};

// Where a kernel writes.
template <class T>
class NhwcResult {
 public:
  explicit NhwcResult(const MapShape& shape, int64_t offset = 0)
      : shape_(shape), offset_(offset), device_(shape.elements() + offset) {}

  Nhwc<T> write() { return {data(), shape_.n, shape_.height, shape_.width, shape_.channels}; }
  T* data() { return device_.data() + offset_; }
  std::vector<float> download() const { return floats(drop_first(device_.download(), offset_)); }

 private:
  MapShape shape_;
  int64_t offset_;
  DeviceArray<T> device_;
};

// Calls body(i, y, x, c) in the order of memory.
template <class Body>
void for_each_element(const MapShape& s, const Body& body) {
  for (int64_t i = 0; i < s.n; ++i)
    for (int64_t y = 0; y < s.height; ++y)
      for (int64_t x = 0; x < s.width; ++x)
        for (int64_t c = 0; c < s.channels; ++c) body(i, y, x, c);
}

inline constexpr double kFloatRoundoff = 0x1p-24;

// Half the distance of neighbours in T at `value`.
template <class T>
double rounding(double value) {
  if constexpr (std::is_same_v<T, float>) return kFloatRoundoff * std::abs(value);
  if constexpr (std::is_same_v<T, __half>) return std::max(0x1p-11 * std::abs(value), 0x1p-25);
  return 0x1p-8 * std::abs(value);
}

// What a sum may be off by after `operations` roundings in float, the terms' absolute values adding up to
// `magnitude` (Higham 2002, section 3.1), and one rounding to T.
template <class T>
double tolerance(double value, double operations, double magnitude) {
  const double sum = 1.01 * operations * kFloatRoundoff * magnitude;
  return sum + rounding<T>(std::abs(value) + sum);
}

}  // namespace tyto::kernels
