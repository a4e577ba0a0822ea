#include "kernels/detection/concat_maps.h"

#include <gtest/gtest.h>

#include "kernels/blocked_batch.h"

namespace tyto::kernels {
namespace {

// By the contract's words: rows by cell, then anchor; value v of an anchor is channel anchor * values + v.
std::vector<float> expected(std::vector<BlockedBatch>& maps, int64_t values) {
  std::vector<float> rows;
  for (int64_t image = 0; image < maps[0].view().n; ++image)
    for (BlockedBatch& map : maps) {
      const auto& v = map.view();
      for (int64_t y = 0; y < v.height; ++y)
        for (int64_t x = 0; x < v.width; ++x)
          for (int64_t anchor = 0; anchor < v.channels / values; ++anchor)
            for (int64_t k = 0; k < values; ++k) rows.push_back(map.at(image, anchor * values + k, y, x));
    }
  return rows;
}

TEST(ConcatMaps, JoinsMapsOfAnyLayoutsInTheOrderOfPermuteAndConcatenate) {
  const std::vector<BatchShape> shapes = {{2, 12, 5, 7}, {2, 24, 3, 3}, {2, 36, 1, 2}, {2, 4, 1, 1}};
  for (size_t first = 0; first < blocks().size(); ++first) {
    std::vector<BlockedBatch> maps;
    for (size_t k = 0; k < shapes.size(); ++k) {
      maps.emplace_back(shapes[k], blocks()[(first + k) % blocks().size()]);
      maps.back().fill(static_cast<uint32_t>(k + 1));
    }
    const std::vector<float> want = expected(maps, 4);
    std::vector<ChannelBlocks<const float>> views;
    for (const BlockedBatch& map : maps) views.push_back(map.read());
    std::vector<float> rows(want.size(), -9);
    concat_maps_cpu(views, rows.data());
    EXPECT_EQ(rows, want);
  }
}

TEST(ConcatMaps, OfAnEmptyBatchWritesNothing) {
  const BlockedBatch map({0, 8, 3, 3}, 8);
  const std::vector<ChannelBlocks<const float>> views = {map.read()};
  concat_maps_cpu(views, nullptr);
}

}  // namespace
}  // namespace tyto::kernels
