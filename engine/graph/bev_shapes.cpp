#include "engine/graph/bev_shapes.h"

#include <algorithm>
#include <limits>

namespace tyto {
namespace {

constexpr int64_t kMost = std::numeric_limits<int32_t>::max();  // cells, and points of a sample

}  // namespace

void BevShapes::check(const kernels::Frustum& frustum, const kernels::BevGrid& grid) const {
  double cells = 1;
  for (int axis = 0; axis < 3; ++axis) {
    if (grid.cells[axis] < 1 || !(grid.step[axis] > 0))
      fail(fmt::format("a grid of {} x {} x {} cells of {} x {} x {} m is none", grid.cells[0], grid.cells[1],
                       grid.cells[2], grid.step[0], grid.step[1], grid.step[2]));
    cells *= grid.cells[axis];
  }
  if (cells >= static_cast<double>(kMost)) fail(fmt::format("a grid has fewer than {} cells", kMost));
  if (frustum.height < 1 || frustum.width < 1 || frustum.bins < 1 || frustum.image_height < 1 ||
      frustum.image_width < 1 || frustum.height > std::numeric_limits<uint16_t>::max())
    fail(fmt::format("a frustum of {} bins over {} x {} pixels of an image {} x {} is none", frustum.bins,
                     frustum.height, frustum.width, frustum.image_height, frustum.image_width));
}

int64_t BevShapes::run_capacity(const kernels::Frustum& frustum, int64_t cameras) const {
  const double points = static_cast<double>(cameras) * frustum.bins * frustum.height * frustum.width;
  if (points > static_cast<double>(kMost))
    fail(fmt::format("{} cameras have {:.0f} points, and a sample {} at most", cameras, points, kMost));
  return kernels::bev_run_capacity(frustum, cameras);
}

std::vector<Result> BevShapes::operator()(const BevIndexing& op) const {
  check(op.frustum, op.grid);
  const Shape& intrinsics = rows(0, Elements::F32, "intrinsics [S, N, 3, 3]");
  if (intrinsics.rank() != 4 || intrinsics[1] < 1)
    fail(fmt::format("needs intrinsics [S, N, 3, 3], not {}", intrinsics.str()));
  const int64_t samples = intrinsics[0], cameras = intrinsics[1];
  const auto matrices = [&](size_t i, int64_t side, const char* what) {
    const Shape wanted = {samples, cameras, side, side};
    if (rows(i, Elements::F32, what) != wanted)
      fail(fmt::format("needs {} {}, not {}", what, wanted.str(), in(i).str()));
  };
  matrices(0, 3, "intrinsics");
  matrices(1, 4, "camera_to_grid");
  matrices(2, 3, "image_augmentation");
  constexpr int64_t kRun = sizeof(kernels::BevRun) / sizeof(int32_t);
  return {{{samples, op.grid.size() + 1}, Elements::I32, Kind::Rows},
          {{samples, run_capacity(op.frustum, cameras), kRun}, Elements::I32, Kind::Rows}};
}

Result BevShapes::operator()(const BevPool& op) const {
  check(op.frustum, op.grid);
  const Shape &depth = map(0), &features = map(1);
  const Shape &starts = rows(2, Elements::I32, "cell_starts [S, cells + 1]"),
              &runs = rows(3, Elements::I32, "runs [S, capacity, 2]");
  const kernels::Frustum& f = op.frustum;
  const int64_t images = features[0];
  if (depth != Shape{images, f.bins, f.height, f.width} || features[2] != f.height ||
      features[3] != f.width || input(0).elements != input(1).elements)
    fail(fmt::format("depth {} and features {} do not fit {} bins over {} x {} pixels", described(0),
                     described(1), f.bins, f.height, f.width));
  const int64_t samples = starts.rank() > 0 ? starts[0] : 0;
  const int64_t cameras = samples > 0 ? images / samples : 0;
  const Shape indexed = {samples, op.grid.size() + 1}, listed = {samples, run_capacity(op.frustum, cameras),
                                                                 sizeof(kernels::BevRun) / sizeof(int32_t)};
  if (cameras < 1 || images % samples != 0 || starts != indexed || runs != listed)
    fail(fmt::format("an index {} with runs {} is not of {} images and a grid of {} cells", starts.str(),
                     runs.str(), images, op.grid.size()));
  return {{samples, op.grid.levels() * features[1], op.grid.rows(), op.grid.columns()},
          input(1).elements,
          Kind::Map};
}

}  // namespace tyto
