#include "kernels/detection/roi_align.h"

#include <gtest/gtest.h>

#include <cfloat>
#include <cmath>
#include <limits>

#include "kernels/detection/roi_case.h"
#include "kernels/detection/roi_levels_math.h"

namespace tyto::kernels {
namespace {

// [n * capacity, channels, height, width] of maps in any blocks.
std::vector<float> align(std::vector<BlockedBatch>& maps, const Rois& rois, const RoiAlign& params,
                         int64_t block) {
  std::vector<ChannelBlocks<const float>> views;
  for (const BlockedBatch& map : maps) views.push_back(map.read());
  BlockedBatch features({rois.total(), views[0].channels, params.height, params.width}, block);
  const auto& view = features.view();
  std::fill_n(view.data, view.n * view.image_stride, 77.0f);
  roi_align_cpu(views, rois, params, view);
  std::vector<float> got;
  for (int64_t i = 0; i < view.n; ++i)
    for (int64_t c = 0; c < view.channels; ++c)
      for (int64_t y = 0; y < view.height; ++y)
        for (int64_t x = 0; x < view.width; ++x) got.push_back(features.at(i, c, y, x));
  return got;
}

double at(BlockedBatch& map, int64_t image, int64_t channel, double y, double x) {
  const int64_t height = map.view().height, width = map.view().width;
  if (y < -1 || x < -1 || y > static_cast<double>(height) || x > static_cast<double>(width)) return 0;
  y = std::clamp(y, 0.0, static_cast<double>(height - 1));
  x = std::clamp(x, 0.0, static_cast<double>(width - 1));
  const auto row = static_cast<int64_t>(y), column = static_cast<int64_t>(x);
  const double down = y - static_cast<double>(row), across = x - static_cast<double>(column);
  double sum = 0;
  for (int64_t i : {0, 1})
    for (int64_t k : {0, 1})
      sum += (i == 0 ? 1 - down : down) * (k == 0 ? 1 - across : across) *
             map.at(image, channel, std::min(row + i, height - 1), std::min(column + k, width - 1));
  return sum;
}

// In doubles, one value at a time. A box whose corner lies on a grid of 1/64 cells, with bins and samples of
// powers of two, has the same samples in floats.
std::vector<double> reference(std::vector<BlockedBatch>& maps, const Rois& rois, const RoiAlign& params) {
  const RoiLevelBounds bounds = roi_level_bounds(params.levels);
  std::vector<double> want;
  for (int64_t row = 0; row < rois.total(); ++row)
    for (int64_t c = 0; c < maps[0].view().channels; ++c)
      for (int p = 0; p < params.height; ++p)
        for (int q = 0; q < params.width; ++q) {
          const int level = rois.holds(row) ? roi_level(rois.box(row), bounds) : -1;
          double sum = 0;
          int count = 1;
          if (level >= 0) {
            const double scale = double{params.levels.scales[static_cast<size_t>(level)]};
            const Box b = rois.box(row);
            const double offset = params.aligned ? 0.5 : 0;
            const double left = b.x1 * scale - offset, top = b.y1 * scale - offset;
            double wide = (b.x2 * scale - offset) - left, high = (b.y2 * scale - offset) - top;
            if (!params.aligned) wide = std::max(wide, 1.0), high = std::max(high, 1.0);
            wide /= params.width, high /= params.height;
            const auto samples = [&](double bin) {
              return params.sampling_ratio > 0 ? params.sampling_ratio : static_cast<int>(std::ceil(bin));
            };
            const int rows = samples(high), columns = samples(wide);
            count = std::max(rows * columns, 1);
            for (int i = 0; i < rows; ++i)
              for (int k = 0; k < columns; ++k)
                sum += at(maps[static_cast<size_t>(level)], row / rois.capacity, c,
                          top + (p + (i + 0.5) / rows) * high, left + (q + (k + 0.5) / columns) * wide);
          }
          want.push_back(sum / count);
        }
  return want;
}

// Values are at most 2. Of a sample: two weights of an axis have up to two roundings, a product and a sum of
// four terms six more; a mean of `samples` as many and one.
double bound(double samples) { return (2 * 2 + 6 + samples + 1) * 0x1p-24 * 2 * 1.01; }

// Corners on the grid that `reference` asks for.
std::vector<float> exact_regions(Numbers& numbers, int64_t count, float width, float height) {
  std::vector<float> rows = random_regions(numbers, count, width, height);
  for (float& v : rows) v = std::floor(v * 4) / 4;
  return rows;
}

std::vector<RoiAlign> settings(float scale) {
  std::vector<RoiAlign> all;
  for (int ratio : {1, 2, 4, 0})
    for (bool aligned : {false, true}) {
      RoiAlign params = {2, 4, ratio, aligned, {}};
      params.levels.scales[0] = scale;
      all.push_back(params);
    }
  return all;
}

void expect_near(const std::vector<float>& got, const std::vector<double>& want, double tolerance) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], want[i], tolerance) << i;
}

TEST(RoiAlign, EqualsTheReferenceInEveryPairOfLayouts) {
  for (int64_t channels : {1, 5, 43, 72})
    for (int64_t block : blocks())
      for (int64_t out : blocks()) {
        Numbers numbers(static_cast<uint32_t>(channels));
        std::vector<BlockedBatch> maps = one_map({2, channels, 9, 13}, block);
        maps[0].fill(3);
        const RoiCase c(exact_regions(numbers, 18, 13 * 16, 9 * 16), {9, 7}, 9);
        for (const RoiAlign& params : settings(1 / 16.0f)) {
          if (params.sampling_ratio == 0 || (params.sampling_ratio != 2 && out != block)) continue;
          expect_near(align(maps, c.rois(), params, out), reference(maps, c.rois(), params), bound(16));
        }
      }
}

// Samples of a bin whose size is no power of two are not at the reference's places: a place has four
// roundings, of numbers up to 64 cells, and the map is no steeper than 4 a cell along each axis. No sample
// lies near the border where the map ends.
TEST(RoiAlign, TakesASampleACellWhereTheRatioIsZero) {
  Numbers numbers(2);
  std::vector<BlockedBatch> maps = one_map({2, 8, 29, 31}, 8);
  maps[0].fill(3);
  const RoiCase c(random_regions(numbers, 60, 31 * 4, 29 * 4), {30, 30}, 30);
  for (RoiAlign params : settings(0.25f)) {
    if (params.sampling_ratio != 0) continue;
    params.height = 3, params.width = 5;
    expect_near(align(maps, c.rois(), params, 8), reference(maps, c.rois(), params),
                bound(32 * 32) + 2 * 4 * 4 * 64 * 0x1p-24);
  }
}

TEST(RoiAlign, OfAPyramidTakesEachRegionFromItsLevel) {
  std::vector<BlockedBatch> maps;
  const RoiAlign params = {2, 2, 2, false, {.scales = {0.25f, 0.125f, 0.0625f, 0.03125f}, .count = 4}};
  for (int64_t k = 0; k < 4; ++k) {
    maps.emplace_back(BatchShape{1, 16, 160 >> k, 200 >> k}, blocks()[static_cast<size_t>(k)]);
    maps.back().fill(static_cast<uint32_t>(k));
  }
  Numbers numbers(1);
  const RoiCase c(exact_regions(numbers, 60, 800, 640), {60}, 60);
  expect_near(align(maps, c.rois(), params, 16), reference(maps, c.rois(), params), bound(4));
}

TEST(RoiAlign, OfOddCoordinatesIsDefinedAndSoonDone) {
  std::vector<BlockedBatch> maps = one_map({1, 16, 5, 6}, 16);
  maps[0].fill(1);
  const float infinity = std::numeric_limits<float>::infinity();
  std::vector<float> boxes;
  for (float odd :
       {std::numeric_limits<float>::quiet_NaN(), infinity, -infinity, FLT_MAX, -FLT_MAX, 1e9f, -1e9f})
    for (int i = 0; i < 4; ++i) {
      std::vector<float> box = {10, 20, 60, 70};
      box[static_cast<size_t>(i)] = odd;
      boxes.insert(boxes.end(), box.begin(), box.end());
    }
  boxes.insert(boxes.end(), {-infinity, -FLT_MAX, infinity, FLT_MAX});
  const int32_t count = static_cast<int32_t>(boxes.size() / 4);
  const RoiCase c(boxes, {count}, count);
  for (const RoiAlign& params : settings(1 / 16.0f)) {
    const std::vector<float> got = align(maps, c.rois(), params, 16);
    for (size_t i = 0; i < 4 * 16 * 8; ++i) ASSERT_EQ(got[i], 0) << "a NaN";
    for (float v : got) ASSERT_TRUE(std::abs(v) <= 2);
  }
}

TEST(RoiAlign, OfNoRegionsWritesNothing) {
  std::vector<BlockedBatch> maps = one_map({2, 8, 5, 6}, 8);
  EXPECT_TRUE(align(maps, {nullptr, 6, nullptr, 2, 0}, settings(1)[0], 8).empty());
}

}  // namespace
}  // namespace tyto::kernels
