#include "kernels/image/resize_bilinear.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "kernels/cuda/device_array.h"
#include "kernels/cuda/offset_array.h"
#include "kernels/cuda/random_values.h"

namespace tyto::kernels {
namespace {

constexpr NormalizeParams kImageNet = {.mean = {0.485f, 0.456f, 0.406f}, .std = {0.229f, 0.224f, 0.225f}};

// Both outputs start from the same values, so that one written outside the window shows.
void expect_the_bits_of_the_cpu(const ResizeParams& p, const NormalizeParams& normalize, int image_offset = 0,
                                int row_gap = 0, int plane_gap = 0) {
  const int64_t row_stride = p.window_width + row_gap,
                plane_stride = p.window_height * row_stride + plane_gap;
  const std::vector<uint8_t> source = random_bytes(int64_t{3} * p.in_width * p.in_height, 1);
  const std::vector<float> before = random_floats(3 * plane_stride - row_gap - plane_gap, 2);

  std::vector<float> expected = before;
  BilinearScratch scratch;
  resize_bilinear_cpu(source.data(), p, make_normalize_table(normalize), expected.data(), plane_stride,
                      row_stride, scratch);

  const OffsetArray image(source, image_offset);
  DeviceArray<float> planes(before);
  resize_bilinear(image.data(), p, normalize, planes.data(), plane_stride, row_stride, nullptr);

  EXPECT_EQ(bits(planes.download()), bits(expected))
      << p.in_width << " x " << p.in_height << " to " << p.out_width << " x " << p.out_height;
}

ResizeParams whole(int in_width, int in_height, int out_width, int out_height,
                   Resampling resampling = Resampling::TorchBilinear) {
  return {in_width, in_height, out_width, out_height, 0, 0, out_width, out_height, resampling};
}

TEST(ResizeBilinear, HasTheBitsOfTheCpu) {
  constexpr int from[][2] = {{1, 1}, {1, 50}, {50, 1}, {3, 7}, {97, 61}, {1100, 3}};
  constexpr int to[][2] = {{1, 1}, {2, 1}, {64, 61}, {129, 5}, {300, 2}};
  for (const auto& [in_width, in_height] : from)
    for (const auto& [out_width, out_height] : to)
      for (const Resampling resampling : {Resampling::TorchBilinear, Resampling::SkimageBilinear})
        expect_the_bits_of_the_cpu(whole(in_width, in_height, out_width, out_height, resampling), kImageNet);
}

TEST(ResizeBilinear, HasTheBitsOfTheCpuInAnyWindowAtAnyAddress) {
  std::mt19937 random(3);
  const auto from_to = [&](int low, int high) { return std::uniform_int_distribution(low, high)(random); };
  const NormalizeParams bgr = {ChannelOrder::BGR, 1, {104, 117, 123}, {1, 2, 3}};
  for (int i = 0; i < 100; ++i) {
    ResizeParams p = whole(from_to(1, 150), from_to(1, 40), from_to(1, 150), from_to(1, 40),
                           i % 4 < 2 ? Resampling::TorchBilinear : Resampling::SkimageBilinear);
    p.window_x = from_to(0, p.out_width - 1);
    p.window_y = from_to(0, p.out_height - 1);
    p.window_width = from_to(1, p.out_width - p.window_x);
    p.window_height = from_to(1, p.out_height - p.window_y);
    expect_the_bits_of_the_cpu(p, i % 2 == 0 ? kImageNet : bgr, from_to(0, 20), from_to(0, 5), from_to(0, 5));
  }
}

TEST(ResizeBilinear, RefusesAWindowOutsideTheImageAndWhatGivesBytes) {
  ResizeParams p = whole(4, 4, 4, 4);
  p.window_y = 1;
  EXPECT_THROW(resize_bilinear(nullptr, p, {}, nullptr, 16, 4, nullptr), std::invalid_argument);
  p = whole(4, 4, 4, 4, Resampling::PilBilinear);
  EXPECT_THROW(resize_bilinear(nullptr, p, {}, nullptr, 16, 4, nullptr), std::invalid_argument);
}

TEST(Profile, ResizeBilinear) { expect_the_bits_of_the_cpu(whole(320, 240, 533, 400), kImageNet); }

}  // namespace
}  // namespace tyto::kernels
