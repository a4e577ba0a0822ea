#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>

#include "kernels/detection/roi_align.h"
#include "kernels/detection/roi_case.h"
#include "kernels/detection/roi_pool.h"

namespace tyto::kernels {
namespace {

// Some levels of maps with room for their gradient, and a gradient of the features.
struct Training {
  std::vector<BlockedBatch> maps;
  BlockedBatch gradient;

  Training(int64_t channels, int64_t block, int64_t gradient_block, int64_t regions, int levels)
      : gradient({regions, channels, 2, 3}, gradient_block) {
    gradient.fill(9);
    for (int k = 0; k < levels; ++k) {
      maps.emplace_back(BatchShape{2, channels, 9 >> k, 13 >> k}, block);
      maps.back().fill(static_cast<uint32_t>(k));
    }
  }

  std::vector<ChannelBlocks<const float>> read() const {
    std::vector<ChannelBlocks<const float>> views;
    for (const BlockedBatch& map : maps) views.push_back(map.read());
    return views;
  }
  std::vector<ChannelBlocks<float>> write() const {
    std::vector<ChannelBlocks<float>> views;
    for (const BlockedBatch& map : maps) views.push_back(map.view());
    return views;
  }

  // Of every level, image, channel and cell.
  std::vector<float> values() {
    std::vector<float> all;
    for (BlockedBatch& map : maps)
      for (int64_t i = 0; i < map.view().n; ++i)
        for (int64_t c = 0; c < map.view().channels; ++c)
          for (int64_t cell = 0; cell < map.view().area(); ++cell)
            all.push_back(map.at(i, c, cell / map.view().width, cell % map.view().width));
    return all;
  }
};

RoiLevels levels(int count) { return {.scales = {1 / 32.0f, 1 / 64.0f}, .count = count}; }

RoiCase training_regions(int64_t seed) {
  Numbers numbers(static_cast<uint32_t>(seed));
  return {random_regions(numbers, 36, 13 * 32, 9 * 32), {18, 11}, 18};
}

struct Sum {
  double value = 0, magnitude = 0, terms = 0;
  void add(double v) {
    value += v;
    magnitude += std::abs(v);
    terms += v != 0;
  }
};

// Each term has so many roundings of its own, and the sum one a term. `samples` may be in one term.
void expect_sums(const std::vector<float>& got, const std::vector<Sum>& want, double roundings,
                 double samples = 1) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i)
    ASSERT_NEAR(got[i], want[i].value,
                1.01 * 0x1p-24 * (samples * want[i].terms + roundings) * want[i].magnitude)
        << i;
}

TEST(RoiPool, TheGradientOfAMapIsThatOfTheCellsThatWon) {
  for (int64_t channels : {1, 21})
    for (int count : {1, 2})
      for (int64_t block : blocks()) {
        const RoiCase c = training_regions(channels);
        const RoiPool params = {2, 3, levels(count)};
        Training t(channels, block, blocks()[static_cast<size_t>(channels + block) % 4], 36, count);
        BlockedBatch features({36, channels, 2, 3}, t.gradient.view().block);
        std::vector<int32_t> argmax(static_cast<size_t>(36 * features.view().image_stride));
        roi_pool_cpu(t.read(), c.rois(), params, features.view(), argmax.data());
        std::vector<Sum> want(t.values().size());
        for (int64_t row = 0; row < 36; ++row)
          for (int64_t k = 0; k < channels; ++k)
            for (int64_t bin = 0; bin < 6; ++bin) {
              const float& at = features.at(row, k, bin / 3, bin % 3);
              const int32_t where = argmax[static_cast<size_t>(&at - features.view().data)];
              if (where < 0) continue;
              // The level is the one whose cell has the value.
              const bool is_first = t.maps[0].at(row / 18, k, where / 13, where % 13) == at;
              const int64_t before = is_first ? 0 : 2 * channels * t.maps[0].view().area();
              const int64_t cells = t.maps[is_first ? 0 : 1].view().area();
              want[static_cast<size_t>(before + (row / 18 * channels + k) * cells + where)].add(
                  t.gradient.at(row, k, bin / 3, bin % 3));
            }
        roi_pool_backward_cpu(t.gradient.read(), argmax.data(), c.rois(), params, t.write());
        expect_sums(t.values(), want, 0);
      }
}

// RoIAlign is linear: a map that is 1 in one cell gives the weight of that cell in every bin.
TEST(RoiAlign, TheGradientOfAMapIsItsWeightInEveryBin) {
  for (int ratio : {2, 0})
    for (bool aligned : {false, true})
      for (int count : {1, 2}) {
        const RoiCase c = training_regions(count);
        const RoiAlign params = {2, 3, ratio, aligned, levels(count)};
        constexpr int64_t kChannels = 5;
        std::vector<Sum> want;
        const Training t(kChannels, 0, 0, 36, count);
        BlockedBatch gradient({36, kChannels, 2, 3}, 0);
        gradient.fill(9);
        for (int level = 0; level < count; ++level) {
          // Channel i has its 1 in cell i; the other levels are 0.
          const int64_t cells = t.maps[static_cast<size_t>(level)].view().area();
          Training one(cells, 0, 0, 36, count);
          for (int k = 0; k < count; ++k) {
            BlockedBatch& map = one.maps[static_cast<size_t>(k)];
            std::fill_n(map.view().data, 2 * map.view().image_stride, 0.0f);
          }
          BlockedBatch& map = one.maps[static_cast<size_t>(level)];
          for (int64_t i = 0; i < 2; ++i)
            for (int64_t cell = 0; cell < cells; ++cell)
              map.at(i, cell, cell / map.view().width, cell % map.view().width) = 1;
          BlockedBatch weights({36, cells, 2, 3}, 0);
          roi_align_cpu(one.read(), c.rois(), params, weights.view());
          for (int64_t image = 0; image < 2; ++image)
            for (int64_t k = 0; k < kChannels; ++k)
              for (int64_t cell = 0; cell < cells; ++cell) {
                Sum sum;
                for (int64_t row = image * 18; row < (image + 1) * 18; ++row)
                  for (int64_t bin = 0; bin < 6; ++bin)
                    sum.add(double{weights.at(row, cell, bin / 3, bin % 3)} *
                            gradient.at(row, k, bin / 3, bin % 3));
                want.push_back(sum);
              }
        }
        for (int64_t block : blocks()) {
          Training trained(kChannels, block, blocks()[static_cast<size_t>(block + count) % 4], 36, count);
          roi_align_backward_cpu(trained.gradient.read(), c.rois(), params, trained.write());
          // A bin's samples that take from one cell: where the ratio is 0, no more than four by four. A
          // weight has two roundings, the product with a share and the share itself one each; the forward
          // pass as many.
          expect_sums(trained.values(), want, 8 + 16, 16);
        }
      }
}

TEST(RoiAlign, TheGradientIsTheSameForEveryNumberOfThreads) {
  const RoiCase c = training_regions(1);
  std::vector<std::vector<float>> got;
  for (int threads : {1, 3}) {
    omp_set_num_threads(threads);
    Training t(43, 16, 0, 36, 2);
    roi_align_backward_cpu(t.gradient.read(), c.rois(), {2, 3, 2, false, levels(2)}, t.write());
    got.push_back(t.values());
  }
  omp_set_num_threads(omp_get_num_procs());
  EXPECT_EQ(got[0], got[1]);
}

// Regions of two images in turn, some rows of none: as where each image's stand together.
TEST(RoiBackward, OfNumberedRowsIsThatOfTheirImages) {
  constexpr int64_t kChannels = 21, kBins = 6;
  std::vector<int64_t> places;
  const RoiCase grouped = training_regions(1), mixed = grouped.numbered(&places);
  const auto rows = static_cast<int64_t>(places.size());
  const RoiPool pool = {2, 3, levels(2)};
  const RoiAlign align = {2, 3, 2, false, levels(2)};
  Training want(kChannels, 16, 0, 36, 2), got(kChannels, 16, 0, rows, 2);
  BlockedBatch want_features({36, kChannels, 2, 3}, 0), got_features({rows, kChannels, 2, 3}, 0);
  const auto argmax_of = [&](Training& t, const RoiCase& c, BlockedBatch& features) {
    std::vector<int32_t> argmax(static_cast<size_t>(features.view().n * kChannels * kBins));
    roi_pool_cpu(t.read(), c.rois(), pool, features.view(), argmax.data());
    return argmax;
  };
  const std::vector<int32_t> want_argmax = argmax_of(want, grouped, want_features),
                             got_argmax = argmax_of(got, mixed, got_features);
  roi_align_cpu(want.read(), grouped.rois(), align, want_features.view());
  roi_align_cpu(got.read(), mixed.rois(), align, got_features.view());
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t c = 0; c < kChannels; ++c)
      for (int64_t bin = 0; bin < kBins; ++bin) {
        const int64_t place = places[static_cast<size_t>(row)], y = bin / 3, x = bin % 3;
        ASSERT_EQ(got_features.at(row, c, y, x), place < 0 ? 0 : want_features.at(place, c, y, x));
        got.gradient.at(row, c, y, x) = place < 0 ? 1e9f : want.gradient.at(place, c, y, x);
      }
  roi_pool_backward_cpu(want.gradient.read(), want_argmax.data(), grouped.rois(), pool, want.write());
  roi_pool_backward_cpu(got.gradient.read(), got_argmax.data(), mixed.rois(), pool, got.write());
  EXPECT_EQ(want.values(), got.values());
  roi_align_backward_cpu(want.gradient.read(), grouped.rois(), align, want.write());
  roi_align_backward_cpu(got.gradient.read(), mixed.rois(), align, got.write());
  EXPECT_EQ(want.values(), got.values());
}

}  // namespace
}  // namespace tyto::kernels
