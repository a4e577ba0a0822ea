// Rigs, grids and frustums for the tests of the index, and the naive index in double: the three steps of
// Lift-Splat-Shoot for a point, then a list a cell.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "kernels/bev/bev_index.h"
#include "kernels/bev/bev_rig.h"

namespace tyto::kernels::bev_index_test {

// Of one or several samples, as an index is made of.
struct IndexCase {
  std::string name;
  BevIndexing indexing;
  int64_t samples = 1, cameras = 1;
  bev_rig::Matrices<double> matrices;  // of all samples; augmentations may be missing

  int64_t capacity() const { return bev_run_capacity(indexing.frustum, cameras); }
  int64_t starts() const { return indexing.grid.size() + 1; }
};

template <class M>
CameraMatrices<M> view_of(const IndexCase& c, const bev_rig::Matrices<M>& m) {
  return {m.intrinsics.data(), m.camera_to_grid.data(),
          m.image_augmentation.empty() ? nullptr : m.image_augmentation.data(), c.samples, c.cameras};
}

template <class M>
bev_rig::Matrices<M> matrices_of(const IndexCase& c) {
  const auto rounded = [](const std::vector<double>& v) { return std::vector<M>(v.begin(), v.end()); };
  return {rounded(c.matrices.intrinsics), rounded(c.matrices.camera_to_grid),
          rounded(c.matrices.image_augmentation)};
}

struct Index {
  std::vector<int32_t> cell_starts;
  std::vector<BevRun> runs;    // [samples, capacity]
  std::vector<int32_t> cells;  // may not be wanted

  MutableBevIndex view() { return {cell_starts.data(), runs.data(), cells.empty() ? nullptr : cells.data()}; }
};

// Full of numbers that no index has.
inline Index empty_index(const IndexCase& c, bool with_cells = true) {
  return {std::vector<int32_t>(static_cast<size_t>(c.samples * c.starts()), -7),
          std::vector<BevRun>(static_cast<size_t>(c.samples * c.capacity()), BevRun{-7, 7, 7}),
          std::vector<int32_t>(with_cells ? static_cast<size_t>(c.samples * c.capacity()) : 0, -7)};
}

template <class M, class C>
void build_on_cpu(const IndexCase& c, const std::vector<int32_t>& changed, Index& index) {
  const auto matrices = matrices_of<M>(c);
  // Exactly as many bytes as asked for, so that the sanitizers see a write beyond.
  std::vector<char> workspace(static_cast<size_t>(bev_index_cpu_workspace(c.indexing, c.samples, c.cameras)));
  build_bev_index_cpu<M, C>(view_of(c, matrices), c.indexing, changed.empty() ? nullptr : changed.data(),
                            index.view(), workspace.data());
}

template <class M = double, class C = double>
Index index_on_cpu(const IndexCase& c, bool with_cells = true) {
  Index index = empty_index(c, with_cells);
  build_on_cpu<M, C>(c, {}, index);
  return index;
}

// What counts of a sample's runs.
inline std::vector<BevRun> runs_of(const IndexCase& c, const Index& index, int64_t sample) {
  const auto first = index.runs.begin() + sample * c.capacity();
  return {first, first + index.cell_starts[static_cast<size_t>((sample + 1) * c.starts() - 1)]};
}

// By Gauss and Jordan, with pivots.
inline std::array<double, 9> inverse_of(std::array<double, 9> m) {
  std::array<double, 9> inverse = {1, 0, 0, 0, 1, 0, 0, 0, 1};
  for (size_t column = 0; column < 3; ++column) {
    size_t pivot = column;
    for (size_t row = column; row < 3; ++row)
      if (std::abs(m[3 * row + column]) > std::abs(m[3 * pivot + column])) pivot = row;
    for (size_t i = 0; i < 3; ++i) {
      std::swap(m[3 * column + i], m[3 * pivot + i]);
      std::swap(inverse[3 * column + i], inverse[3 * pivot + i]);
    }
    const double scale = m[3 * column + column];
    for (size_t i = 0; i < 3; ++i) m[3 * column + i] /= scale, inverse[3 * column + i] /= scale;
    for (size_t row = 0; row < 3; ++row) {
      const double factor = m[3 * row + column];
      for (size_t i = 0; i < 3 && row != column; ++i) {
        m[3 * row + i] -= factor * m[3 * column + i];
        inverse[3 * row + i] -= factor * inverse[3 * column + i];
      }
    }
  }
  return inverse;
}

// By LSS: undo the augmentation, then the intrinsics, then leave the camera's frame; and its cell.
inline std::vector<int32_t> cells_by_lss(const IndexCase& c) {
  using Matrix = std::array<double, 9>;
  using Point = std::array<double, 3>;
  const auto times = [](const Matrix& m, const Point& p) {
    return Point{m[0] * p[0] + m[1] * p[1] + m[2] * p[2], m[3] * p[0] + m[4] * p[1] + m[5] * p[2],
                 m[6] * p[0] + m[7] * p[1] + m[8] * p[2]};
  };
  const auto matrix_at = [](const std::vector<double>& from, int64_t i) {
    Matrix m;
    std::copy_n(from.begin() + 9 * i, 9, m.begin());
    return m;
  };
  const Frustum& f = c.indexing.frustum;
  const BevGrid& g = c.indexing.grid;
  std::vector<int32_t> cells;
  for (int64_t camera = 0; camera < c.samples * c.cameras; ++camera) {
    const double* pose = c.matrices.camera_to_grid.data() + 16 * camera;
    const Matrix rotation = {pose[0], pose[1], pose[2], pose[4], pose[5],
                             pose[6], pose[8], pose[9], pose[10]};
    const Matrix rays = inverse_of(matrix_at(c.matrices.intrinsics, camera));
    const Matrix raw = c.matrices.image_augmentation.empty()
                           ? Matrix{1, 0, 0, 0, 1, 0, 0, 0, 1}
                           : inverse_of(matrix_at(c.matrices.image_augmentation, camera));
    for (int bin = 0; bin < f.bins; ++bin)
      for (int y = 0; y < f.height; ++y)
        for (int x = 0; x < f.width; ++x) {
          const double depth = f.first_depth + bin * f.depth_step;
          const double u = f.width > 1 ? x * ((f.image_width - 1.0) / (f.width - 1)) : 0;
          const double v = f.height > 1 ? y * ((f.image_height - 1.0) / (f.height - 1)) : 0;
          Point p = times(raw, {u, v, 1});
          p = times(rotation, times(rays, {p[0] * depth, p[1] * depth, depth}));
          int64_t at[3];
          bool inside = true;
          for (size_t axis = 0; axis < 3; ++axis) {
            const double cell = (p[axis] + pose[4 * axis + 3] - g.lower[axis]) / g.step[axis];
            at[axis] = static_cast<int64_t>(g.rounding == CellRounding::Floor ? std::floor(cell) : cell);
            inside = inside && 0 <= at[axis] && at[axis] < g.cells[axis];
          }
          if (g.axes == GridAxes::YX) std::swap(at[0], at[1]);
          const int64_t columns = g.axes == GridAxes::XY ? g.cells[1] : g.cells[0];
          cells.push_back(inside ? static_cast<int32_t>((at[0] * columns + at[1]) * g.cells[2] + at[2]) : -1);
        }
  }
  return cells;
}

// Of points' cells: the rows of each column that neighbours share.
inline Index index_of_cells(const IndexCase& c, const std::vector<int32_t>& cells) {
  const Frustum& f = c.indexing.frustum;
  Index index = empty_index(c, false);
  index.cells = cells;
  for (int64_t sample = 0; sample < c.samples; ++sample) {
    std::vector<std::vector<BevRun>> of_cell(static_cast<size_t>(c.indexing.grid.size()));
    for (int32_t column = 0; column < c.cameras * f.columns(); ++column) {
      int32_t before = -1;
      for (int y = 0; y < f.height; ++y) {
        const int64_t plane = sample * c.cameras * f.bins + column / f.width;
        const int32_t cell = cells[static_cast<size_t>((plane * f.height + y) * f.width + column % f.width)];
        if (cell >= 0 && cell == before) ++of_cell[static_cast<size_t>(cell)].back().rows;
        if (cell >= 0 && cell != before)
          of_cell[static_cast<size_t>(cell)].push_back({column, static_cast<uint16_t>(y), 1});
        before = cell;
      }
    }
    auto start = index.cell_starts.begin() + sample * c.starts();
    auto run = index.runs.begin() + sample * c.capacity();
    for (const auto& runs : of_cell) {
      *start++ = static_cast<int32_t>(run - index.runs.begin() - sample * c.capacity());
      run = std::copy(runs.begin(), runs.end(), run);
    }
    *start = static_cast<int32_t>(run - index.runs.begin() - sample * c.capacity());
  }
  return index;
}

// Cameras that look around from near the middle, each otherwise than those of any other sample.
inline bev_rig::Matrices<double> random_rigs(uint32_t seed, int64_t cameras, const Frustum& f,
                                             bool augmented = true) {
  std::mt19937 random(seed);
  const auto near = [&](double v, double range) {
    return v + range * std::uniform_real_distribution<double>(-1, 1)(random);
  };
  bev_rig::Matrices<double> m;
  for (int64_t i = 0; i < cameras; ++i) {
    const bev_rig::Camera& model = bev_rig::kCameras[i % 6];
    double quaternion[4], translation[3];
    for (int k = 0; k < 4; ++k) quaternion[k] = near(model.quaternion[k], 0.1);
    for (int k = 0; k < 3; ++k) translation[k] = near(model.translation[k], 1);
    const double focal = near(0.8, 0.2) * f.image_width;
    for (double v : {focal, near(0, 1), near(0.5, 0.1) * f.image_width, 0., near(1, 0.1) * focal,
                     near(0.5, 0.1) * f.image_height, 0., 0., 1.})
      m.intrinsics.push_back(v);
    for (double v : bev_rig::pose(quaternion, translation)) m.camera_to_grid.push_back(v);
    if (augmented)  // turned a little, scaled and shifted
      for (double v :
           {near(1, 0.2), near(0, 0.1), near(0, 9), near(0, 0.1), near(1, 0.2), near(0, 9), 0., 0., 1.})
        m.image_augmentation.push_back(v);
  }
  return m;
}

inline IndexCase random_case(std::string name, const BevIndexing& p, int64_t samples, int64_t cameras,
                             bool augmented = true) {
  const auto seed = static_cast<uint32_t>(name.size() + 10 * name.back());
  return {std::move(name), p, samples, cameras, random_rigs(seed, samples * cameras, p.frustum, augmented)};
}

// A sixteenth of B1.
inline constexpr Frustum kSmall = {128, 352, 4, 11, 10, 4, 4};

inline std::vector<IndexCase> random_cases() {
  const BevGrid coarse = {{-50, -50, -10}, {2, 2, 20}, {50, 50, 1}};
  const BevGrid oblong = {{-20, -30, -3}, {0.7, 1.3, 1.1}, {61, 40, 5}, GridAxes::YX};
  BevGrid floored = oblong;
  floored.axes = GridAxes::XY;
  floored.rounding = CellRounding::Floor;
  const BevGrid fine = {{-40, -40, -10}, {0.15, 0.15, 20}, {530, 530, 1}};  // three digits
  return {
      random_case("a sixteenth of B1", {kSmall, coarse}, 1, 6),
      random_case("levels, rows along y", {{64, 176, 5, 13, 7, 2, 3.5}, oblong}, 2, 3),
      random_case("floored", {{64, 176, 9, 7, 6, 2, 3.5}, floored}, 1, 2),
      random_case("one camera", {{64, 176, 16, 3, 11, 1, 0.7}, floored}, 1, 1),
      random_case("no augmentation", {{64, 176, 8, 8, 5, 1, 4}, coarse}, 3, 2, false),
      random_case("one row", {{64, 176, 1, 37, 4, 3, 4}, coarse}, 1, 2),
      random_case("one column", {{64, 176, 33, 1, 3, 3, 9}, coarse}, 1, 2),
      random_case("columns longer than what is looked at together", {{640, 176, 130, 2, 3, 3, 9}, oblong}, 1,
                  1),
      random_case("many cells", {{64, 176, 8, 16, 6, 3, 5}, fine}, 1, 2),
      random_case("one cell", {kSmall, {{-500, -500, -500}, {1000, 1000, 1000}, {1, 1, 1}}}, 1, 1),
      random_case("none near the grid", {kSmall, {{900, 0, 0}, {1, 1, 1}, {4, 4, 1}}}, 2, 1),
      random_case("no camera", {kSmall, coarse}, 2, 0),
      random_case("no bins", {{128, 352, 4, 11, 0, 4, 4}, coarse}, 1, 1),
      random_case("no sample", {kSmall, coarse}, 0, 2),
  };
}

// One camera whose point (u, v) at depth d is (u d, v d, d) exactly, with pixels u = 0 .. width - 1.
inline IndexCase unit_case(std::string name, int height, int width, int bins, const BevGrid& grid) {
  IndexCase c = {std::move(name), {{height, width, height, width, bins, 1, 1}, grid}, 1, 1, {}};
  c.matrices.intrinsics = {1, 0, 0, 0, 1, 0, 0, 0, 1};
  c.matrices.camera_to_grid = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};
  return c;
}

// Each run is of one point, so that all that there is room for are there: of more than two tiles of sorting.
inline IndexCase full_case() {
  return unit_case("full", 8, 33, 32, {{0, 0, 0}, {10, 1, 100}, {103, 225, 1}});
}

}  // namespace tyto::kernels::bev_index_test
