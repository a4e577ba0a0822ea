#include "kernels/detection/decode_boxes.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/cuda/device_array.h"
#include "kernels/cuda/profile_batch.h"
#include "kernels/cuda/random_values.h"
#include "kernels/detection/random_boxes.h"

namespace tyto::kernels {
namespace {

void expect_same_as_cpu(const std::vector<float>& offsets, const std::vector<float>& anchors, int64_t n,
                        const DecodeBoxes& p) {
  const int64_t count = static_cast<int64_t>(anchors.size()) / 4;
  std::vector<float> want(offsets.size());
  decode_boxes_cpu(offsets.data(), anchors.data(), n, count, p, want.data());
  const DeviceArray<float> device_offsets(offsets), device_anchors(anchors);
  DeviceArray<float> boxes(static_cast<int64_t>(offsets.size()));
  decode_boxes(device_offsets.data(), device_anchors.data(), n, count, p, boxes.data(), nullptr);
  EXPECT_EQ(bits(boxes.download()), bits(want)) << n << " x " << count;
}

void compare(int64_t n, int64_t count, const DecodeBoxes& p) {
  Numbers numbers(static_cast<uint32_t>(count) + 1);
  // Exponents up to 100: beyond both ends of what exp can give.
  const auto offsets = numbers.vector(n * count * 4, -500, 500);
  expect_same_as_cpu(offsets, numbers.vector(count * 4, 0.05f, 0.95f), n, p);
}

TEST(DecodeBoxes, HasTheBitsOfTheCpu) {
  for (int64_t n : {0, 1, 3})
    for (int64_t count : {0, 1, 7, 256, 257}) {
      compare(n, count, {});
      compare(n, count, {.clip = true});
      compare(n, count, {.clip = true, .width = 0.7f, .height = 0.4f});
      compare(n, count, {.coding = {{0.1f, 0.2f, 0.15f, 0.05f}, 0.25f}, .width = 2});
    }
}

TEST(DecodeBoxes, TreatsNaNAndInfinityAsTheCpuDoes) {
  const float nan = std::nanf(""), infinity = std::numeric_limits<float>::infinity();
  std::vector<float> offsets, anchors;
  for (float odd : {nan, infinity, -infinity, -0.0f, 3e38f, 1e-45f})
    for (size_t at = 0; at < 8; ++at) {
      float values[8] = {0.5f, -0.5f, 1, -1, 0.5f, 0.25f, 0.5f, 0.25f};
      values[at] = odd;
      offsets.insert(offsets.end(), values, values + 4);
      anchors.insert(anchors.end(), values + 4, values + 8);
    }
  expect_same_as_cpu(offsets, anchors, 1, {});
  expect_same_as_cpu(offsets, anchors, 1, {.coding = {.max_log_size = 4}, .clip = true});
}

TEST(Profile, DecodeBoxes) { compare(2 * profile_batch(), 8732, {.clip = true}); }

}  // namespace
}  // namespace tyto::kernels
