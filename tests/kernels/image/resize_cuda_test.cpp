#include "kernels/image/resize.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "kernels/cuda/device_array.h"
#include "kernels/cuda/offset_array.h"
#include "kernels/cuda/random_values.h"
#include "kernels/image/resize_tables.h"

namespace tyto::kernels {
namespace {

constexpr Resampling kByteResamplings[] = {Resampling::PilBilinear, Resampling::PilBicubic,
                                           Resampling::PilLanczos, Resampling::CvBilinear};

struct Case {
  ResizeParams params;
  int image_offset = 0;    // bytes before the image, in its allocation
  int64_t out_offset = 0;  // before the first row of the output
  int64_t gap = 0;         // between its rows

  int64_t out_row_bytes() const { return int64_t{3} * params.window_width + gap; }
  // Up to the last pixel, where the allocation ends.
  int64_t out_bytes() const { return out_offset + params.window_height * out_row_bytes() - gap; }
};

ResizeParams whole(int in_width, int in_height, int out_width, int out_height, Resampling resampling) {
  return {in_width, in_height, out_width, out_height, 0, 0, out_width, out_height, resampling};
}

// Both outputs start from the same bytes, so that one written outside the window shows.
void expect_the_bytes_of_the_cpu(const Case& c) {
  const ResizeParams& p = c.params;
  const std::vector<uint8_t> source = random_bytes(int64_t{3} * p.in_width * p.in_height, 1);
  const std::vector<uint8_t> before = random_bytes(c.out_bytes(), 2);
  ResizeScratch scratch;

  std::vector<uint8_t> expected = before;
  resize_cpu(source.data(), expected.data() + c.out_offset, c.out_row_bytes(), p, scratch);

  std::vector<int32_t> host_tables(static_cast<size_t>(resize_tables_size(p)));
  make_resize_tables(p, scratch, host_tables.data());
  const OffsetArray image(source, c.image_offset);
  const DeviceArray<int32_t> tables(host_tables);
  DeviceArray<uint8_t> out(before), workspace(resize_workspace_bytes(p));
  resize(image.data(), out.data() + c.out_offset, c.out_row_bytes(), p, tables.data(), workspace.data(),
         nullptr);

  EXPECT_EQ(out.download(), expected)
      << p.in_width << " x " << p.in_height << " to " << p.out_width << " x " << p.out_height << ", window "
      << p.window_x << ", " << p.window_y << ", " << p.window_width << " x " << p.window_height
      << ", resampling " << static_cast<int>(p.resampling);
}

TEST(Resize, HasTheBytesOfTheCpu) {
  constexpr int from[][2] = {{1, 1}, {1, 50}, {50, 1}, {3, 7}, {64, 64}, {97, 61}, {130, 129}};
  constexpr int to[][2] = {{1, 1}, {2, 1}, {32, 32}, {61, 97}, {64, 61}, {129, 5}};
  for (Resampling resampling : kByteResamplings)
    for (const auto& [in_width, in_height] : from)
      for (const auto& [out_width, out_height] : to)
        expect_the_bytes_of_the_cpu({whole(in_width, in_height, out_width, out_height, resampling)});
}

TEST(Resize, HasTheBytesOfTheCpuInAnyWindowAtAnyAddress) {
  std::mt19937 random(3);
  const auto from_to = [&](int low, int high) { return std::uniform_int_distribution(low, high)(random); };
  for (int i = 0; i < 200; ++i) {
    Case c = {
        whole(from_to(1, 150), from_to(1, 40), from_to(1, 150), from_to(1, 40), kByteResamplings[i % 4]),
        from_to(0, 20), from_to(0, 20), from_to(0, 20)};
    ResizeParams& p = c.params;
    p.window_x = from_to(0, p.out_width - 1);
    p.window_y = from_to(0, p.out_height - 1);
    p.window_width = from_to(1, p.out_width - p.window_x);
    p.window_height = from_to(1, p.out_height - p.window_y);
    expect_the_bytes_of_the_cpu(c);
  }
}

TEST(Resize, AnImageOfTheRightSizeIsCopied) {
  for (Resampling resampling : kByteResamplings) {
    const ResizeParams p = whole(131, 5, 131, 5, resampling);
    expect_the_bytes_of_the_cpu({p});
    expect_the_bytes_of_the_cpu({whole(131, 5, 131, 9, resampling)});
    expect_the_bytes_of_the_cpu({whole(131, 5, 77, 5, resampling)});
  }
}

TEST(Resize, RowsLongerThanAStageAreTakenInStretches) {
  for (Resampling resampling : kByteResamplings)
    for (int width : {512, 513, 1024, 1700, 5000})
      for (int out_width : {1, 7, 128, 300})
        expect_the_bytes_of_the_cpu({whole(width, 6, out_width, 2, resampling), 5});
}

TEST(Resize, OpenCvHalvesByTheMeanOfFour) {
  for (int width : {1, 3, 127, 128, 129, 300}) {
    Case c = {whole(2 * width, 6, width, 3, Resampling::CvBilinear), 1, 3, 2};
    EXPECT_EQ(resize_tables_size(c.params), 0);
    expect_the_bytes_of_the_cpu(c);
    c.params.window_x = width / 3;
    c.params.window_width -= width / 3;
    c.params.window_y = c.params.window_height = 1;
    expect_the_bytes_of_the_cpu(c);
  }
}

TEST(Resize, TheWorkspaceHoldsOnlyTheRowsThatTheWindowReads) {
  ResizeParams p = whole(40, 1000, 40, 500, Resampling::PilBilinear);
  EXPECT_EQ(resize_workspace_bytes(p), 1000 * 40 * 4);
  p.window_y = 250;
  p.window_height = 1;  // the filter is 4 rows wide, around row 501
  EXPECT_EQ(resize_workspace_bytes(p), 4 * 40 * 4);
}

TEST(Resize, RefusesWhatTheCpuRefuses) {
  ResizeParams p = whole(4, 4, 4, 4, Resampling::TorchBilinear);
  ResizeScratch scratch;
  EXPECT_THROW(make_resize_tables(p, scratch, nullptr), std::invalid_argument);
  EXPECT_THROW(resize(nullptr, nullptr, 12, p, nullptr, nullptr, nullptr), std::invalid_argument);
  p.resampling = Resampling::PilBilinear;
  p.window_x = 1;
  EXPECT_THROW(make_resize_tables(p, scratch, nullptr), std::invalid_argument);
  EXPECT_THROW(resize(nullptr, nullptr, 12, p, nullptr, nullptr, nullptr), std::invalid_argument);
}

TEST(Profile, ResizePillow) {
  expect_the_bytes_of_the_cpu({whole(640, 480, 300, 300, Resampling::PilBilinear)});
  expect_the_bytes_of_the_cpu({whole(64, 160, 128, 256, Resampling::PilBicubic)});
}

TEST(Profile, ResizeOpenCv) {
  expect_the_bytes_of_the_cpu({whole(640, 480, 300, 300, Resampling::CvBilinear)});
  expect_the_bytes_of_the_cpu({whole(640, 480, 320, 240, Resampling::CvBilinear)});
}

}  // namespace
}  // namespace tyto::kernels
