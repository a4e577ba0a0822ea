#include "kernels/detection/roi_pool.h"

#include <gtest/gtest.h>

#include <cfloat>
#include <cmath>
#include <limits>

#include "kernels/detection/roi_case.h"
#include "kernels/detection/roi_levels_math.h"

namespace tyto::kernels {
namespace {

const float nan = std::numeric_limits<float>::quiet_NaN();
const float infinity = std::numeric_limits<float>::infinity();

struct Pooled {
  std::vector<float> values;    // [n * capacity, channels, height, width]
  std::vector<int32_t> argmax;  // the same
  bool operator==(const Pooled&) const = default;
};

// The features of maps in any blocks, read by logical position.
Pooled pool(std::vector<BlockedBatch>& maps, const Rois& rois, const RoiPool& params, int64_t block,
            bool with_argmax = true) {
  std::vector<ChannelBlocks<const float>> views;
  for (const BlockedBatch& map : maps) views.push_back(map.read());
  BlockedBatch features({rois.total(), views[0].channels, params.height, params.width}, block);
  BlockedBatch places({rois.total(), views[0].channels, params.height, params.width}, block);
  const auto& view = features.view();
  const size_t size = static_cast<size_t>(view.n * view.image_stride);
  std::fill_n(view.data, size, 77.0f);
  std::vector<int32_t> argmax(size, 77);
  roi_pool_cpu(views, rois, params, view, with_argmax ? argmax.data() : nullptr);
  Pooled got;
  for (int64_t i = 0; i < view.n; ++i)
    for (int64_t c = 0; c < view.channels; ++c)
      for (int64_t y = 0; y < view.height; ++y)
        for (int64_t x = 0; x < view.width; ++x) {
          const float& at = features.at(i, c, y, x);
          got.values.push_back(at);
          got.argmax.push_back(argmax[static_cast<size_t>(&at - view.data)]);
        }
  return got;
}

// By the words of the contract, one value at a time.
Pooled reference(std::vector<BlockedBatch>& maps, const Rois& rois, const RoiPool& params) {
  Pooled want;
  const RoiLevelBounds bounds = roi_level_bounds(params.levels);
  const auto cell = [](float at) { return std::lround(at); };
  for (int64_t row = 0; row < rois.total(); ++row)
    for (int64_t c = 0; c < maps[0].view().channels; ++c)
      for (int p = 0; p < params.height; ++p)
        for (int q = 0; q < params.width; ++q) {
          float best = 0;
          int32_t where = -1;
          const int level = rois.holds(row) ? roi_level(rois.box(row), bounds) : -1;
          if (level >= 0) {
            BlockedBatch& map = maps[static_cast<size_t>(level)];
            const float scale = params.levels.scales[static_cast<size_t>(level)];
            const Box b = rois.box(row);
            const int64_t left = cell(b.x1 * scale), top = cell(b.y1 * scale);
            const float high = static_cast<float>(std::max<int64_t>(cell(b.y2 * scale) - top + 1, 1)) /
                               static_cast<float>(params.height);
            const float wide = static_cast<float>(std::max<int64_t>(cell(b.x2 * scale) - left + 1, 1)) /
                               static_cast<float>(params.width);
            bool first = true;
            for (int64_t y = 0; y < map.view().height; ++y)
              for (int64_t x = 0; x < map.view().width; ++x) {
                if (y < top + std::floor(static_cast<float>(p) * high) ||
                    y >= top + std::ceil(static_cast<float>(p + 1) * high) ||
                    x < left + std::floor(static_cast<float>(q) * wide) ||
                    x >= left + std::ceil(static_cast<float>(q + 1) * wide))
                  continue;
                if (first) best = -FLT_MAX;
                first = false;
                const float v = map.at(row / rois.capacity, c, y, x);
                if (v > best) {
                  best = v;
                  where = static_cast<int32_t>(y * map.view().width + x);
                }
              }
          }
          want.values.push_back(best);
          want.argmax.push_back(where);
        }
  return want;
}

RoiPool one_level(int height, int width, float scale) {
  return {height, width, {.scales = {scale}, .count = 1}};
}

TEST(RoiPool, GivesTorchvisionsValuesOfTheKnownRegions) {
  std::vector<BlockedBatch> maps = one_map({1, 1, 8, 8}, 1);
  for (int i = 0; i < 64; ++i) maps[0].at(0, 0, i / 8, i % 8) = static_cast<float>(i);
  const RoiCase c({0, 0, 112, 112, 40, 24, 88, 120, 120, 120, 200, 200, 50, 50, 40, 40}, {4}, 4);
  const Pooled got = pool(maps, c.rois(), one_level(2, 2, 1 / 16.0f), 1);
  EXPECT_EQ(got.values, (std::vector<float>{27, 31, 59, 63, 44, 46, 60, 62, 0, 0, 0, 0, 27, 27, 27, 27}));
  EXPECT_EQ(got.argmax,
            (std::vector<int32_t>{27, 31, 59, 63, 44, 46, 60, 62, -1, -1, -1, -1, 27, 27, 27, 27}));
}

TEST(RoiPool, EqualsTheReferenceInEveryPairOfLayouts) {
  for (int64_t channels : {1, 5, 43, 136}) {
    Numbers numbers(static_cast<uint32_t>(channels));
    const RoiCase c(random_regions(numbers, 18, 13 * 16, 9 * 16), {9, 7}, 9);
    const RoiPool params = one_level(3, 7, 1 / 16.0f);
    Pooled want;
    for (int64_t block : blocks())
      for (int64_t out : blocks()) {
        std::vector<BlockedBatch> maps = one_map({2, channels, 9, 13}, block);
        maps[0].fill(3);
        if (want.values.empty()) want = reference(maps, c.rois(), params);
        const Pooled got = pool(maps, c.rois(), params, out);
        ASSERT_EQ(got.values, want.values) << channels << " in blocks of " << block << " to " << out;
        ASSERT_EQ(got.argmax, want.argmax) << channels << " in blocks of " << block << " to " << out;
        ASSERT_EQ(pool(maps, c.rois(), params, out, false).values, want.values);
      }
  }
}

TEST(RoiPool, OfAPyramidTakesEachRegionFromItsLevel) {
  std::vector<BlockedBatch> maps;
  const RoiPool params = {2, 2, {.scales = {0.25f, 0.125f, 0.0625f, 0.03125f}, .count = 4}};
  for (int64_t k = 0; k < 4; ++k) {
    maps.emplace_back(BatchShape{1, 16, 160 >> k, 200 >> k}, blocks()[static_cast<size_t>(k)]);
    maps.back().fill(static_cast<uint32_t>(k));
  }
  Numbers numbers(1);
  const RoiCase c(random_regions(numbers, 60, 800, 640), {60}, 60);
  std::array<int, 5> used = {};
  for (int64_t row = 0; row < 60; ++row)
    ++used[static_cast<size_t>(roi_level(c.rois().box(row), roi_level_bounds(params.levels)) + 1)];
  for (int regions : used) EXPECT_GT(regions, 0);
  EXPECT_EQ(pool(maps, c.rois(), params, 16), reference(maps, c.rois(), params));
}

TEST(RoiPool, TheFirstOfEqualCellsWinsAndNaNNever) {
  std::vector<BlockedBatch> maps = one_map({1, 4, 2, 2}, 0);
  const float values[4][4] = {
      {nan, 1, 1, nan}, {-0.0f, 0, nan, 0}, {nan, nan, nan, nan}, {-infinity, -FLT_MAX, nan, -infinity}};
  for (int c = 0; c < 4; ++c)
    for (int i = 0; i < 4; ++i) maps[0].at(0, c, i / 2, i % 2) = values[c][i];
  const RoiCase c({0, 0, 1, 1}, {1}, 1);
  const Pooled got = pool(maps, c.rois(), one_level(1, 1, 1), 0);
  EXPECT_EQ(got.values, (std::vector<float>{1, -0.0f, -FLT_MAX, -FLT_MAX}));
  EXPECT_TRUE(std::signbit(got.values[1]));
  EXPECT_EQ(got.argmax, (std::vector<int32_t>{1, 0, -1, -1}));
}

TEST(RoiPool, HalvesAreRoundedAwayFromZero) {
  std::vector<BlockedBatch> maps = one_map({1, 1, 1, 8}, 1);
  for (int i = 0; i < 8; ++i) maps[0].at(0, 0, 0, i) = static_cast<float>(8 - i);
  const RoiCase c({2.5f, 0, 7, 0, -0.5f, 0, 7, 0, 0.5f, 0, 7, 0}, {3}, 3);
  EXPECT_EQ(pool(maps, c.rois(), one_level(1, 1, 1), 1).argmax, (std::vector<int32_t>{3, 0, 1}));
}

TEST(RoiPool, OfOddCoordinatesIsDefined) {
  std::vector<BlockedBatch> maps = one_map({1, 16, 5, 6}, 16);
  maps[0].fill(1);
  std::vector<float> boxes;
  for (float odd : {nan, infinity, -infinity, FLT_MAX, -FLT_MAX, 1e9f, -1e9f})
    for (int i = 0; i < 4; ++i) {
      std::vector<float> box = {10, 20, 60, 70};
      box[static_cast<size_t>(i)] = odd;
      boxes.insert(boxes.end(), box.begin(), box.end());
    }
  boxes.insert(boxes.end(), {-infinity, -FLT_MAX, infinity, FLT_MAX});
  const int32_t count = static_cast<int32_t>(boxes.size() / 4);
  const RoiCase c(boxes, {count}, count);
  const Pooled got = pool(maps, c.rois(), one_level(1, 1, 1 / 16.0f), 16);
  for (size_t i = 0; i < 4 * 16; ++i) EXPECT_EQ(got.argmax[i], -1) << "a NaN";
  float largest[16] = {};
  for (int l = 0; l < 16; ++l)
    for (int i = 0; i < 30; ++i) largest[l] = std::max(largest[l], maps[0].at(0, l, i / 6, i % 6));
  for (size_t l = 0; l < 16; ++l) EXPECT_EQ(got.values[got.values.size() - 16 + l], largest[l]);
}

TEST(RoiPool, WithoutCountsEveryRowIsARegion) {
  std::vector<BlockedBatch> maps = one_map({2, 8, 5, 6}, 8);
  maps[0].fill(1);
  Numbers numbers(1);
  const RoiCase c(random_regions(numbers, 6, 6, 5), {3, 3}, 3);
  Rois all = c.rois();
  all.counts = nullptr;
  EXPECT_EQ(pool(maps, all, one_level(2, 2, 1), 8), pool(maps, c.rois(), one_level(2, 2, 1), 8));
}

TEST(RoiPool, OfNumberedRowsTakesEachRegionFromItsImage) {
  std::vector<BlockedBatch> maps = one_map({3, 8, 5, 6}, 8);
  maps[0].fill(1);
  Numbers numbers(1);
  const RoiCase c(random_regions(numbers, 24, 6, 5), {8, 0, 5}, 8);
  std::vector<int64_t> places;
  const RoiCase mixed = c.numbered(&places);
  const Pooled want = pool(maps, c.rois(), one_level(2, 2, 1), 8),
               got = pool(maps, mixed.rois(), one_level(2, 2, 1), 8);
  constexpr size_t kRow = 8 * 2 * 2;
  ASSERT_EQ(got.values.size(), places.size() * kRow);
  ASSERT_GT(places.size(), 13u);
  for (size_t row = 0; row < places.size(); ++row)
    for (size_t i = 0; i < kRow; ++i) {
      const size_t there = static_cast<size_t>(places[row]) * kRow + i, here = row * kRow + i;
      ASSERT_EQ(got.values[here], places[row] < 0 ? 0 : want.values[there]) << row;
      ASSERT_EQ(got.argmax[here], places[row] < 0 ? -1 : want.argmax[there]) << row;
    }
}

TEST(RoiPool, OfNoRegionsWritesNothing) {
  std::vector<BlockedBatch> maps = one_map({2, 8, 5, 6}, 8);
  EXPECT_TRUE(pool(maps, {nullptr, 6, nullptr, 2, 0}, one_level(7, 7, 1), 8).values.empty());
}

}  // namespace
}  // namespace tyto::kernels
