// Shapes and refusals of what two-stage detectors have between their networks.
#include <gtest/gtest.h>

#include "engine/graph/graph.h"
#include "support/errors.h"
#include "support/random_weights.h"

namespace tyto {
namespace {

struct TwoStages : testing::Test {
  Graph g;
  Value rois = g.input("rois", {2, 5, 6}, Elements::F32, /*counted=*/true);
  Value map = g.image_input("map", {2, 8, 6, 7});
  Value sizes = g.input("sizes", {2, 4});
};

TEST_F(TwoStages, RegionsOfAllSamplesAreImagesOfOneMapAndKeepTheirCount) {
  const Value features = g.roi_pool(rois, {map}, {.height = 3, .width = 2});
  EXPECT_EQ(g.shape(features), (Shape{10, 8, 3, 2}));
  EXPECT_EQ(g.result(features).kind, Kind::Map);
  const Weights w =
      weights({{"conv.weight", {4, 8, 3, 3}}, {"fc.weight", {12, 24}}, {"last.weight", {8, 12}}});
  const Value x = g.conv2d(features, w.scope("conv"), {.kernel = 3, .padding = 1});
  const Value fc = g.linear(g.relu(x), w.scope("fc"));
  EXPECT_EQ(g.shape(fc), (Shape{2, 5, 12}));
  const Value last = g.linear(fc, w.scope("last"));
  const Value offsets = g.reshape(g.cast(last, Elements::F32), {2, 5, 2, 4});
  const Value boxes = g.decode_rois(offsets, rois, sizes, {});
  EXPECT_EQ(g.shape(boxes), (Shape{2, 5, 1, 4}));
  for (const Value counted : {features, x, fc, last, offsets, boxes})
    EXPECT_EQ(g.result(counted).count, g.result(rois).count) << g.node(counted).name;
  EXPECT_EQ(g.result(g.reshape(last, {10, 8})).count, std::nullopt);
}

TEST_F(TwoStages, NameWhatDoesNotFit) {
  const Value offsets = g.input("offsets", {2, 9, 4}), logits = g.input("logits", {2, 9, 2});
  expect_error([&] { g.decode_proposals(offsets, logits, sizes, {}); }, ErrorKind::Shape,
               {"0 anchors", "[2, 9, 4]"});
  DecodeProposals nine;
  nine.grid.count = 1;
  nine.grid.levels[0] = {.rows = 3, .columns = 3, .per_cell = 1};
  EXPECT_EQ(g.shape(g.decode_proposals(offsets, logits, sizes, nine).scores), (Shape{2, 1, 9}));
  expect_error(
      [&] {
        g.decode_proposals(offsets, g.input("three", {2, 9, 3}), sizes, nine);
      },
      ErrorKind::Shape, {"[2, 9, 3]"});
  expect_error(
      [&] {
        g.decode_proposals(offsets, logits, g.input("few", {2, 3}), nine);
      },
      ErrorKind::Shape, {"sizes [2, 4]", "[2, 3]"});
  RoiAlign two_levels;
  two_levels.levels.count = 2;
  expect_error([&] { g.roi_align(rois, {map}, two_levels); }, ErrorKind::Shape, {"1 maps for 2 levels"});
  expect_error([&] { g.roi_pool(g.input("flat", {5, 4}), {map}, {}); }, ErrorKind::Shape, {"[5, 4]"});
  expect_error(
      [&] {
        g.roi_pool(rois, {g.image_input("of three", {3, 8, 6, 7})}, {});
      },
      ErrorKind::Shape, {"[3, 8, 6, 7]"});
  expect_error(
      [&] {
        g.decode_rois(g.input("of four", {2, 4, 3, 4}), rois, sizes, {});
      },
      ErrorKind::Shape, {"[2, 4, 3, 4]", "[2, 5, 6]"});
}

}  // namespace
}  // namespace tyto
