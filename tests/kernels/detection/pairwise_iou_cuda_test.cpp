#include "kernels/detection/pairwise_iou.h"

#include <gtest/gtest.h>

#include "kernels/cuda/device_array.h"
#include "kernels/cuda/profile_batch.h"
#include "kernels/cuda/random_values.h"
#include "kernels/detection/random_boxes.h"

namespace tyto::kernels {
namespace {

void compare(int64_t n, int64_t k) {
  Numbers numbers(static_cast<uint32_t>(n + k));
  auto a = crowded_boxes(numbers, n);
  const auto b = crowded_boxes(numbers, k);
  if (n > 1) a[5] = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> want(static_cast<size_t>(n * k));
  pairwise_iou_cpu(a.data(), n, b.data(), k, want.data());
  const DeviceArray<float> device_a(a), device_b(b);
  DeviceArray<float> ious(n * k);
  pairwise_iou(device_a.data(), n, device_b.data(), k, ious.data(), nullptr);
  EXPECT_EQ(bits(ious.download()), bits(want)) << n << " x " << k;
}

TEST(PairwiseIou, HasTheBitsOfTheCpu) {
  for (const int64_t n : {0, 1, 32, 33})
    for (const int64_t k : {0, 1, 128, 129}) compare(n, k);
}

TEST(Profile, PairwiseIou) { compare(64, 2048 * profile_batch()); }

}  // namespace
}  // namespace tyto::kernels
