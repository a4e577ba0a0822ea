#include "kernels/detection/decode_proposals.h"

#include <gtest/gtest.h>

#include <limits>

#include "kernels/cuda/device_array.h"
#include "kernels/cuda/profile_batch.h"
#include "kernels/cuda/random_values.h"
#include "kernels/detection/anchor_grids.h"
#include "kernels/detection/random_boxes.h"

namespace tyto::kernels {
namespace {

void expect_same_as_cpu(const std::vector<float>& offsets, const std::vector<float>& logits,
                        const std::vector<float>& sizes, int values, const DecodeProposals& p) {
  const auto n = static_cast<int64_t>(sizes.size()) / kSizesRow;
  const int64_t total = n * p.grid.anchors();
  std::vector<float> boxes(static_cast<size_t>(4 * total)), scores(static_cast<size_t>(total));
  decode_proposals_cpu(offsets.data(), logits.data(), sizes.data(), n, values, p, boxes.data(),
                       scores.data());
  const DeviceArray<float> device_offsets(offsets), device_logits(logits), device_sizes(sizes);
  DeviceArray<float> device_boxes(4 * total), device_scores(total);
  decode_proposals(device_offsets.data(), device_logits.data(), device_sizes.data(), n, values, p,
                   device_boxes.data(), device_scores.data(), nullptr);
  EXPECT_EQ(bits(device_boxes.download()), bits(boxes));
  EXPECT_EQ(bits(device_scores.download()), bits(scores));
}

void compare(const DecodeProposals& p, int64_t n, int values) {
  Numbers numbers(7);
  std::vector<float> sizes;
  for (int64_t i = 0; i < n; ++i)
    for (const float size : {600.0f, 800.0f, 375.0f + 100 * static_cast<float>(i), 500.0f})
      sizes.push_back(size);
  if (n > 1) std::fill(sizes.end() - kSizesRow, sizes.end(), 0.0f);  // no image
  const int64_t total = n * p.grid.anchors();
  expect_same_as_cpu(numbers.vector(4 * total, -3, 3), numbers.vector(values * total, -9, 9), sizes, values,
                     p);
}

TEST(DecodeProposals, HasTheBitsOfTheCpu) {
  for (const int64_t n : {0, 1, 3}) {
    compare({.grid = single_map(0, 1)}, n, 1);
    compare({.coding = {.y_first = true}, .grid = single_map(5, 6), .min_size = 16}, n, 2);  // 270 anchors
    compare({.coding = {.variance = {0.1f, 0.2f, 0.3f, 0.4f}, .max_log_size = 0.5f},
             .grid = pyramid({{3, 4}, {0, 1}, {1, 2}})},
            n, 1);
  }
}

TEST(DecodeProposals, TreatsNaNAndInfinityAsTheCpuDoes) {
  std::vector<float> offsets;
  for (const float odd : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity(), 3e38f, 1e-45f})
    for (size_t at = 0; at < 4; ++at) {
      offsets.insert(offsets.end(), 4, 0.25f);
      offsets[offsets.size() - 4 + at] = odd;
    }
  const AnchorGrid grid = pyramid({{4, 5}});
  offsets.resize(static_cast<size_t>(4 * grid.anchors()));
  const std::vector<float> logits(static_cast<size_t>(grid.anchors()), 1);
  expect_same_as_cpu(offsets, logits, {60, 80, 60, 80}, 1, {.grid = grid});
}

TEST(Profile, DecodeProposals) {
  compare({.coding = {.y_first = true}, .grid = single_map(37, 62), .min_size = 16}, profile_batch(), 2);
  compare({.grid = pyramid({{50, 68}, {25, 34}, {13, 17}})}, profile_batch(), 1);
}

}  // namespace
}  // namespace tyto::kernels
