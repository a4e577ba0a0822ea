#include "kernels/detection/decode_rois.h"

#include <gtest/gtest.h>

#include "kernels/cuda/device_array.h"
#include "kernels/cuda/profile_batch.h"
#include "kernels/cuda/random_values.h"
#include "kernels/detection/random_boxes.h"

namespace tyto::kernels {
namespace {

void compare(int64_t capacity, int64_t classes, int stride, const std::vector<int32_t>& counts, int64_t n,
             const DecodeRois& p) {
  Numbers numbers(5);
  std::vector<float> sizes;
  for (int64_t i = 0; i < n; ++i)
    for (const float size : {601.0f, 790.0f, 376.0f + static_cast<float>(i), 499.0f}) sizes.push_back(size);
  auto offsets = numbers.vector(n * capacity * classes * 4, -500, 500);  // exponents beyond both ends
  if (!offsets.empty()) offsets.back() = std::numeric_limits<float>::quiet_NaN();
  const auto rows = numbers.vector(n * capacity * stride, 0, 700);
  const int64_t total = n * capacity * (classes - 1) * 4;
  std::vector<float> want(static_cast<size_t>(total));
  decode_rois_cpu(offsets.data(),
                  {rows.data(), stride, counts.empty() ? nullptr : counts.data(), n, capacity}, sizes.data(),
                  classes, p, want.data());
  const DeviceArray<float> device_offsets(offsets), device_rows(rows), device_sizes(sizes);
  const DeviceArray<int32_t> device_counts(counts);
  DeviceArray<float> boxes(total);
  decode_rois(device_offsets.data(), {device_rows.data(), stride, device_counts.data(), n, capacity},
              device_sizes.data(), classes, p, boxes.data(), nullptr);
  EXPECT_EQ(bits(boxes.download()), bits(want));
}

TEST(DecodeRois, HasTheBitsOfTheCpu) {
  const BoxCoding voc = {.variance = {0.1f, 0.1f, 0.2f, 0.2f}, .y_first = true};
  for (const int64_t capacity : {0, 1, 13})  // 260 boxes an image
    for (const int64_t classes : {2, 21}) {
      compare(capacity, classes, 6, {}, 1, {.coding = voc, .one_scale = true});
      compare(capacity, classes, 4, {}, 2, {.coding = {.max_log_size = 4}});
    }
  compare(13, 21, 6, {0, 13, 5}, 3, {.coding = voc});
}

TEST(Profile, DecodeRois) { compare(300, 21, 6, {}, profile_batch(), {.one_scale = true}); }

}  // namespace
}  // namespace tyto::kernels
