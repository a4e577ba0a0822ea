#include <gtest/gtest.h>

#include "engine/graph/graph.h"
#include "support/errors.h"

namespace tyto {
namespace {

const kernels::Frustum kFrustum = {.image_height = 32, .image_width = 64, .height = 2, .width = 4, .bins = 3};
const kernels::BevGrid kGrid = {.cells = {5, 7, 2}};

struct Rig {
  Value intrinsics, pose, augmentation;
};

Rig rig(Graph& g, int64_t samples, int64_t cameras) {
  return {g.input("intrinsics", {samples, cameras, 3, 3}), g.input("pose", {samples, cameras, 4, 4}),
          g.input("augmentation", {samples, cameras, 3, 3})};
}

TEST(BevShapes, AreThoseOfTheIndexAndOfTheGrid) {
  Graph g;
  const Rig cameras = rig(g, 3, 2);
  const auto index =
      g.bev_index("index", cameras.intrinsics, cameras.pose, cameras.augmentation, {kFrustum, kGrid});
  EXPECT_EQ(g.shape(index.cell_starts), (Shape{3, 71}));
  EXPECT_EQ(g.shape(index.runs), (Shape{3, 2 * 3 * 2 * 4, 2}));
  EXPECT_EQ(g.result(index.runs).elements, Elements::I32);
  const Value depth = g.image_input("depth", {6, 3, 2, 4}),
              features = g.image_input("features", {6, 10, 2, 4});
  const Value map = g.bev_pool("pool", depth, features, index, {.frustum = kFrustum, .grid = kGrid});
  EXPECT_EQ(g.shape(map), (Shape{3, 20, 5, 7}));
  EXPECT_EQ(g.result(map).kind, Kind::Map);
  EXPECT_EQ(g.result(map).elements, Elements::Activation);
  kernels::BevGrid turned = kGrid;
  turned.axes = kernels::GridAxes::YX;
  EXPECT_EQ(g.shape(g.bev_pool("pool", depth, features, index, {.frustum = kFrustum, .grid = turned})),
            (Shape{3, 20, 7, 5}));
}

TEST(BevShapes, RefuseWhatDoesNotFit) {
  Graph g;
  const Rig cameras = rig(g, 3, 2);
  const auto indexed = [&](const Rig& r, const BevIndexing& op) {
    return g.bev_index("index", r.intrinsics, r.pose, r.augmentation, op);
  };
  const auto refuse = [](const auto& build, const std::vector<std::string>& said) {
    expect_error(build, ErrorKind::Shape, said);
  };
  refuse(
      [&] {
        indexed({cameras.pose, cameras.pose, cameras.augmentation}, {kFrustum, kGrid});
      },
      {"'index'", "intrinsics [3, 2, 3, 3]", "[3, 2, 4, 4]"});
  refuse(
      [&] {
        indexed({cameras.intrinsics, cameras.intrinsics, cameras.augmentation}, {kFrustum, kGrid});
      },
      {"camera_to_grid [3, 2, 4, 4]", "[3, 2, 3, 3]"});
  refuse([&] { indexed(cameras, {kFrustum, {.step = {0.5, 0, 20}}}); }, {"a grid of", "is none"});
  refuse([&] { indexed(cameras, {kFrustum, {.cells = {1 << 15, 1 << 15, 2}}}); }, {"fewer than"});
  refuse([&] { indexed(cameras, {{.height = 1 << 16}, kGrid}); }, {"frustum", "is none"});
  refuse([&] { indexed(cameras, {{.height = 30'000, .width = 30'000}, kGrid}); }, {"points"});

  const auto index = indexed(cameras, {kFrustum, kGrid});
  const Value depth = g.image_input("depth", {6, 3, 2, 4}),
              features = g.image_input("features", {6, 10, 2, 4}), few = g.image_input("few", {5, 10, 2, 4}),
              five = g.image_input("five", {5, 3, 2, 4});
  const BevPool op = {.frustum = kFrustum, .grid = kGrid};
  refuse([&] { g.bev_pool("pool", features, features, index, op); }, {"'pool'", "3 bins", "[6, 10, 2, 4]"});
  refuse([&] { g.bev_pool("pool", five, few, index, op); }, {"5 images", "70 cells"});
  refuse([&] { g.bev_pool("pool", depth, features, {index.runs, index.cell_starts}, op); }, {"an index"});
  refuse(
      [&] {
        g.bev_pool("pool", depth, features, index, {.frustum = kFrustum, .grid = {.cells = {5, 7, 1}}});
      },
      {"35 cells"});
}

}  // namespace
}  // namespace tyto
