#include "kernels/image/normalize.h"

#include <gtest/gtest.h>

#include <vector>

#include "kernels/cuda/device_array.h"
#include "kernels/cuda/offset_array.h"
#include "kernels/cuda/profile_batch.h"
#include "kernels/cuda/random_values.h"

namespace tyto::kernels {
namespace {

constexpr NormalizeParams kRules[] = {
    {.mean = {0.485f, 0.456f, 0.406f}, .std = {0.229f, 0.224f, 0.225f}},
    {ChannelOrder::BGR, 1, {104, 117, 123}, {1, 1, 1}},
    {ChannelOrder::BGR, 0.017f, {0.1f, 0.2f, 0.3f}, {3, 7, 11}},
};

void expect_the_bits_of_the_cpu(int64_t count, const NormalizeParams& params, int offset = 0) {
  const std::vector<uint8_t> source = random_bytes(3 * count, static_cast<uint32_t>(count));
  std::vector<float> expected(static_cast<size_t>(3 * count));
  normalize_cpu(source.data(), count, make_normalize_table(params), expected.data());

  const OffsetArray pixels(source, offset);
  DeviceArray<float> planes(3 * count);
  normalize(pixels.data(), count, params, planes.data(), nullptr);

  EXPECT_EQ(bits(planes.download()), bits(expected)) << count << " pixels, " << offset << " bytes on";
}

TEST(Normalize, HasTheBitsOfTheCpu) {
  for (const NormalizeParams& params : kRules)
    for (int64_t count : {0, 1, 2, 5, 127, 511, 512, 513, 1021, 1536})
      expect_the_bits_of_the_cpu(count, params);
}

TEST(Normalize, HasTheBitsOfTheCpuAtAnyAddress) {
  for (int offset = 1; offset < 17; ++offset) expect_the_bits_of_the_cpu(700, kRules[0], offset);
}

TEST(Profile, Normalize) {
  expect_the_bits_of_the_cpu(profile_batch() * 300 * 300, kRules[0]);
  expect_the_bits_of_the_cpu(profile_batch() * 256 * 128, kRules[1]);
}

}  // namespace
}  // namespace tyto::kernels
