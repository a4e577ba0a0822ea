#include "kernels/detection/encode_boxes.h"

#include <gtest/gtest.h>

#include "kernels/cuda/device_array.h"
#include "kernels/cuda/profile_batch.h"
#include "kernels/cuda/random_values.h"
#include "kernels/detection/random_boxes.h"

namespace tyto::kernels {
namespace {

void compare(int64_t n, const EncodeBoxes& p) {
  Numbers numbers(3);
  const auto references = crowded_boxes(numbers, n);
  auto targets = crowded_boxes(numbers, n);
  if (n > 4) {
    targets[4] = std::numeric_limits<float>::quiet_NaN();
    targets[8] = targets[10];       // no width
    targets[12] = targets[14] + 1;  // less
  }
  std::vector<float> want(references.size());
  encode_boxes_cpu(references.data(), targets.data(), n, p, want.data());
  const DeviceArray<float> device_references(references), device_targets(targets);
  DeviceArray<float> offsets(4 * n);
  encode_boxes(device_references.data(), device_targets.data(), n, p, offsets.data(), nullptr);
  EXPECT_EQ(bits(offsets.download()), bits(want)) << n;
}

TEST(EncodeBoxes, HasTheBitsOfTheCpu) {
  for (const int64_t n : {0, 1, 257}) {
    compare(n, {});
    compare(n, {.coding = {.variance = {0.1f, 0.2f, 0.3f, 0.4f}, .y_first = true}, .least_side = 0.3f});
  }
}

TEST(Profile, EncodeBoxes) { compare(20646 * profile_batch(), {}); }

}  // namespace
}  // namespace tyto::kernels
