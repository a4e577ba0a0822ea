#include <tyto_bev.h>

#include <algorithm>

#include "c_interface/sample_builder.h"

namespace tyto {
namespace {

constexpr int64_t kBins = 2, kHeight = 2, kWidth = 3, kChannels = 3, kRows = 2, kColumns = 2;
constexpr int64_t kPixels = kHeight * kWidth, kPoints = kBins * kPixels, kCells = kRows * kColumns;

// [bins, height, width]
const std::vector<int32_t> kCellsOfPoints = {0, 1, 1, 0, -1, 3, 0, 1, 3, 0, 0, -1};

// The index of those: cell_starts, and runs in two words each.
void make_index(std::vector<int32_t>& starts, std::vector<int32_t>& runs) {
  for (int32_t cell = 0; cell < kCells; ++cell) {
    starts.push_back(static_cast<int32_t>(runs.size() / 2));
    for (int64_t bin = 0; bin < kBins; ++bin)
      for (int64_t column = 0; column < kWidth; ++column)
        for (int64_t row = 0; row < kHeight; ++row) {
          const auto is = [&](int64_t r) {
            return kCellsOfPoints[static_cast<size_t>((bin * kHeight + r) * kWidth + column)] == cell;
          };
          if (!is(row)) continue;
          if (row > 0 && is(row - 1)) {
            runs.back() += 1 << 16;
          } else {
            runs.push_back(static_cast<int32_t>(bin * kWidth + column));
            runs.push_back(static_cast<int32_t>(1 << 16 | row));
          }
        }
  }
  starts.push_back(static_cast<int32_t>(runs.size() / 2));
  runs.resize(2 * kPoints);
}

template <class B>
void add_maps(B& b) {
  b.size("samples", b->samples, 1).size("cameras", b->cameras, 1).size("bins", b->bins, kBins);
  b.size("height", b->height, kHeight)
      .size("width", b->width, kWidth)
      .size("channels", b->channels, kChannels);
  b.size("rows", b->rows, kRows).size("columns", b->columns, kColumns).size("levels", b->levels, 1);
  b.size("depth_stride", b->depth_stride, kBins).size("feature_stride", b->feature_stride, kChannels);
  b->depth_bins = TYTO_BEV_BINS_LAST;
  b.in("depth", b->depth, waves(kPoints, 0.7)).in("features", b->features, waves(kPixels * kChannels, 0.3));
  std::vector<int32_t> starts, runs;
  make_index(starts, runs);
  b.integers("cell_starts", b->cell_starts, starts).integers("runs", b->runs, runs);
}

}  // namespace

std::vector<Sample> samples(int32_t elements) {
  std::vector<Sample> all;
  if (elements == TYTO_DOUBLE || elements == TYTO_FLOAT) {
    // Two cameras look forward and to the left; all points of one row lie in the grid, each a run.
    auto b = TYTO_BUILDER(tyto_bev_index, elements);
    b.options(offsetof(tyto_bev_index_desc, in_float));
    b.size("samples", b->samples, 1).size("cameras", b->cameras, 2).size("bins", b->bins, kBins);
    b.size("height", b->height, 1).size("width", b->width, kWidth);
    b.reals("intrinsics", b->intrinsics,
            {200, 0, 170, 0, 200, 60, 0, 0, 1, 210, 0, 175, 0, 210, 64, 0, 0, 1});
    b.reals("camera_to_grid", b->camera_to_grid, {0, 0, 1, 1, -1, 0, 0, 0.1, 0, -1, 0, 1.5, 0, 0, 0, 1,
                                                  1, 0, 0, 0, 0,  0, 1, 0.4, 0, -1, 0, 1.5, 0, 0, 0, 1});
    b.reals("image_augmentation", b->image_augmentation,
            {1, 0, 2, 0, 1, -3, 0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 1}, true);
    b.integers("changed", b->changed, {1}, true);
    b.out("cell_starts", b->cell_starts, 40001, kInteger, false);
    b.out("runs", b->runs, 2 * 2 * kBins * kWidth, kInteger, false);
    b.out("cells", b->cells, 2 * kBins * kWidth, kInteger, true);
    all.push_back(b.take());
  }
  for (const int32_t reduction : {TYTO_BEV_SUM, TYTO_BEV_MEAN, TYTO_BEV_MAX}) {
    {
      auto b = TYTO_BUILDER(tyto_bev_pool, elements);
      b.options(offsetof(tyto_bev_pool_desc, reduction));
      add_maps(b);
      b->reduction = reduction;
      b->logits = reduction != TYTO_BEV_MAX;
      b.out("out", b->out, kCells * kChannels, elements, false);
      if (reduction == TYTO_BEV_MAX) b.out("winners", b->winners, kCells * kChannels, kInteger, true);
      all.push_back(b.take());
    }
    {
      auto b = TYTO_BUILDER(tyto_bev_pool_backward, elements);
      b.options(offsetof(tyto_bev_pool_backward_desc, reduction));
      add_maps(b);
      b->reduction = reduction;
      b->layout = reduction == TYTO_BEV_SUM ? TYTO_BEV_CHANNELS_FIRST : TYTO_BEV_CHANNELS_LAST;
      b.integers("cells", b->cells, kCellsOfPoints);
      b.integers("winners", b->winners, {0, 6, 6, 1, 2, 7, -1, -1, -1, 5, 8, 5}, reduction != TYTO_BEV_MAX);
      b.in("out_gradient", b->out_gradient, waves(kCells * kChannels, 0.9));
      b.gradient("depth_gradient", b->depth_gradient, kPoints);
      b.gradient("features_gradient", b->features_gradient, kPixels * kChannels);
      all.push_back(b.take());
    }
  }
  return all;
}

}  // namespace tyto
