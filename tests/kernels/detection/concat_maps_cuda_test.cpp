#include "kernels/detection/concat_maps.h"

#include <gtest/gtest.h>

#include <deque>

#include "kernels/common/device_error.h"
#include "kernels/cuda/device_array.h"
#include "kernels/cuda/profile_batch.h"
#include "kernels/detection/random_boxes.h"

namespace tyto::kernels {
namespace {

struct Size {
  int64_t height, width, channels;
};

template <class T>
class ConcatHeadsTest : public testing::Test {};
using Elements = testing::Types<float, Half, BFloat16>;
TYPED_TEST_SUITE(ConcatHeadsTest, Elements);

template <class T>
void expect_joined(int64_t n, const std::vector<Size>& sizes) {
  Numbers numbers(static_cast<uint32_t>(sizes.size()));
  std::vector<std::vector<T>> values;
  std::deque<DeviceArray<T>> arrays;
  std::vector<Nhwc<const T>> maps;
  for (const auto& [height, width, channels] : sizes) {
    values.push_back(rounded<T>(numbers.vector(n * height * width * channels, -9, 9)));
    arrays.emplace_back(values.back());
    maps.push_back({arrays.back().data(), n, height, width, channels});
  }
  std::vector<float> want;  // image by image, the maps' cells in order, their channels in order
  for (int64_t image = 0; image < n; ++image)
    for (size_t k = 0; k < sizes.size(); ++k)
      for (int64_t y = 0; y < sizes[k].height; ++y)
        for (int64_t x = 0; x < sizes[k].width; ++x)
          for (int64_t c = 0; c < sizes[k].channels; ++c) {
            const int64_t at = ((image * sizes[k].height + y) * sizes[k].width + x) * sizes[k].channels + c;
            want.push_back(to_float(values[k][static_cast<size_t>(at)]));
          }
  DeviceArray<float> rows(static_cast<int64_t>(want.size()));
  concat_maps<T>(maps, rows.data(), nullptr);
  EXPECT_EQ(rows.download(), want);
}

TYPED_TEST(ConcatHeadsTest, JoinsMapsInTheOrderOfPermuteAndConcatenate) {
  for (int64_t n : {0, 1, 3}) {
    expect_joined<TypeParam>(n, {{5, 7, 12}, {3, 3, 24}, {1, 2, 36}, {1, 1, 4}});  // in fours
    expect_joined<TypeParam>(n, {{5, 7, 21}, {3, 3, 63}, {1, 2, 63}, {1, 1, 21}});
    expect_joined<TypeParam>(n, {{32, 8, 4}, {5, 205, 1}, {0, 3, 8}, {31, 33, 1}});  // around a block's tile
    expect_joined<TypeParam>(n, {{1, 1, 1}});
    expect_joined<TypeParam>(n, {{2, 2, 0}});
  }
  expect_joined<TypeParam>(2, std::vector<Size>(kMaxMaps, Size{1, 3, 5}));
}

TEST(ConcatMaps, OfTooManyOrNoMaps) {
  const std::vector<Nhwc<const float>> maps(kMaxMaps + 1);
  EXPECT_THROW(concat_maps<float>(maps, nullptr, nullptr), DeviceError);
  concat_maps<float>({}, nullptr, nullptr);
}

TEST(Profile, ConcatMaps) {
  for (int64_t values : {4, 21})
    expect_joined<Half>(profile_batch(), {{38, 38, 4 * values},
                                          {19, 19, 6 * values},
                                          {10, 10, 6 * values},
                                          {5, 5, 6 * values},
                                          {3, 3, 4 * values},
                                          {1, 1, 4 * values}});
}

}  // namespace
}  // namespace tyto::kernels
