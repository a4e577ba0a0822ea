#include "kernels/bev/bev_index.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "kernels/bev/bev_index_case.h"

namespace tyto::kernels::bev_index_test {
namespace {

void expect_equal(const IndexCase& c, const Index& index, const Index& want) {
  EXPECT_EQ(index.cell_starts, want.cell_starts) << c.name;
  EXPECT_EQ(index.cells, want.cells) << c.name;
  for (int64_t sample = 0; sample < c.samples; ++sample)
    EXPECT_TRUE(runs_of(c, index, sample) == runs_of(c, want, sample)) << c.name << ", sample " << sample;
}

// Of one sample.
std::vector<int64_t> points_of_cells(const Index& index) {
  std::vector<int64_t> points(index.cell_starts.size() - 1);
  for (size_t cell = 0; cell < points.size(); ++cell)
    for (int32_t i = index.cell_starts[cell]; i < index.cell_starts[cell + 1]; ++i)
      points[cell] += index.runs[static_cast<size_t>(i)].rows;
  return points;
}

bev_rig::Counts counts_of(const IndexCase& c, const Index& index) {
  bev_rig::Counts counts = {c.capacity(), 0, 0, 0, 0, index.cell_starts.back()};
  std::vector<int64_t> points = points_of_cells(index);
  std::erase(points, 0);
  std::sort(points.begin(), points.end());
  counts.cells = static_cast<int64_t>(points.size());
  for (int64_t n : points) counts.kept += n;
  counts.p99 = points[static_cast<size_t>(0.99 * static_cast<double>(points.size()))];
  counts.most = points.back();
  return counts;
}

// (cell, camera, bin, column) that have points.
int64_t groups_of(const Index& index) {
  int64_t groups = 0;
  for (size_t cell = 0; cell + 1 < index.cell_starts.size(); ++cell)
    for (int32_t i = index.cell_starts[cell]; i < index.cell_starts[cell + 1]; ++i)
      groups += i == index.cell_starts[cell] ||
                index.runs[static_cast<size_t>(i)].column != index.runs[static_cast<size_t>(i - 1)].column;
  return groups;
}

IndexCase table_case(size_t i) {
  const std::string name = "B" + std::to_string(i + 1);
  const bev_rig::BevCase bev = bev_rig::bev_case(name);
  return {name, bev.indexing(), 1, 6, bev.matrices<double>()};
}

TEST(BevIndex, HasTheCountsOfTheTableInDouble) {
  for (size_t i = 0; i < 8; ++i) {
    const IndexCase c = table_case(i);
    const Index index = index_on_cpu(c);
    EXPECT_TRUE(counts_of(c, index) == bev_rig::kCounts[i]) << c.name;
    EXPECT_EQ(groups_of(index), bev_rig::kCounts[i].runs)
        << c.name << ": a cell has a column's rows in one run";
    EXPECT_TRUE(index.cells == cells_by_lss(c)) << c.name;
  }
}

TEST(BevIndex, HasTheCountsOfTheTableInFloatButForPointsOnFaces) {
  constexpr int64_t kAllowed = 25;  // bev.md 2.9
  for (size_t i = 0; i < 8; ++i) {
    const IndexCase c = table_case(i);
    const Index index = index_on_cpu<float, float>(c, false);
    const bev_rig::Counts counts = counts_of(c, index), want = bev_rig::kCounts[i];
    EXPECT_LE(std::abs(counts.kept - want.kept), kAllowed) << c.name;
    EXPECT_LE(std::abs(counts.cells - want.cells), kAllowed) << c.name;
    EXPECT_LE(std::abs(counts.p99 - want.p99), kAllowed) << c.name;
    EXPECT_LE(std::abs(counts.most - want.most), kAllowed) << c.name;
    EXPECT_LE(std::abs(counts.runs - want.runs), kAllowed) << c.name;
    const std::vector<int64_t> points = points_of_cells(index);
    const std::vector<int64_t> exact = points_of_cells(index_on_cpu(c, false));
    int64_t moved = 0;
    for (size_t cell = 0; cell < points.size(); ++cell) moved += std::abs(points[cell] - exact[cell]);
    EXPECT_LE(moved, 2 * kAllowed) << c.name;
  }
}

TEST(BevIndex, IsThatOfTheNaiveLoop) {
  for (const IndexCase& c : random_cases())
    expect_equal(c, index_on_cpu(c), index_of_cells(c, cells_by_lss(c)));
}

TEST(BevIndex, OfMatricesInFloatIsThatOfTheirExactValues) {
  for (IndexCase c : random_cases()) {
    const auto rounded = matrices_of<float>(c);
    const auto exact = [](const std::vector<float>& v) { return std::vector<double>(v.begin(), v.end()); };
    c.matrices = {exact(rounded.intrinsics), exact(rounded.camera_to_grid),
                  exact(rounded.image_augmentation)};
    expect_equal(c, index_on_cpu<float, double>(c), index_of_cells(c, cells_by_lss(c)));
  }
}

TEST(BevIndex, DoesNotDependOnTheNumberOfThreads) {
  const int before = omp_get_max_threads();
  for (const IndexCase& c : random_cases()) {
    omp_set_num_threads(1);
    const Index want = index_on_cpu(c);
    for (const int threads : {2, 3, 7}) {
      omp_set_num_threads(threads);
      expect_equal(c, index_on_cpu(c), want);
    }
    omp_set_num_threads(before);
  }
}

TEST(BevIndex, IsFullWhereEachRunIsOfOnePoint) {
  const IndexCase c = full_case();
  const Index index = index_on_cpu(c);
  EXPECT_EQ(index.cell_starts.back(), c.capacity());
  expect_equal(c, index, index_of_cells(c, cells_by_lss(c)));
}

TEST(BevIndex, PutsAPointOnAFaceIntoTheUpperCell) {
  // x = u d is 0 .. 4 at depth 1; y and z are 0 and 1.
  const IndexCase c = unit_case("faces", 1, 5, 1, {{1, 0, 0}, {1, 1, 1}, {3, 1, 2}});
  EXPECT_EQ(index_on_cpu(c).cells, (std::vector<int32_t>{-1, 1, 3, 5, -1}));
}

TEST(BevIndex, TakesPointsLessThanACellBelowTheGridByTruncationOnly) {
  // (u d - 1.5) / 1: -1.5, -0.5, 0.5; then below the grid in z alone.
  BevGrid grid = {{1.5, -0.5, 0.5}, {1, 1, 1}, {2, 1, 1}};
  const auto cells = [&] { return index_on_cpu(unit_case("below", 1, 3, 1, grid)).cells; };
  EXPECT_EQ(cells(), (std::vector<int32_t>{-1, 0, 0}));
  grid.lower[0] = 1;  // a whole cell below is too far
  EXPECT_EQ(cells(), (std::vector<int32_t>{-1, 0, 1}));
  grid.lower[0] = 1.5;
  grid.rounding = CellRounding::Floor;
  EXPECT_EQ(cells(), (std::vector<int32_t>{-1, -1, 0}));
  grid = {{0, 0, 1.5}, {1, 1, 1}, {3, 1, 1}};
  EXPECT_EQ(cells(), (std::vector<int32_t>{0, 1, 2}));
  grid.rounding = CellRounding::Floor;
  EXPECT_EQ(cells(), (std::vector<int32_t>{-1, -1, -1}));
}

TEST(BevIndex, ACameraWithoutAnInverseHasItsPointsNowhereAndHarmsNoOther) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN(),
                   kInfinity = std::numeric_limits<double>::infinity();
  const BevGrid everywhere = {{-1e6, -1e6, -1e6}, {2e6, 2e6, 2e6}, {1, 1, 1}};
  const IndexCase sound = random_case("sound", {kSmall, everywhere}, 1, 2);
  const auto points = static_cast<size_t>(sound.capacity() / 2);
  for (const auto& break_it : std::vector<std::function<void(bev_rig::Matrices<double>&)>>{
           [](auto& m) { std::fill_n(m.intrinsics.begin(), 9, 0); },
           [](auto& m) { m.intrinsics[8] = 0; },
           [](auto& m) { std::fill_n(m.intrinsics.begin() + 3, 3, 0); },
           [](auto& m) { std::fill_n(m.image_augmentation.begin(), 9, 0); },
           [](auto& m) { m.image_augmentation[4] = m.image_augmentation[3] = 0; },
           [&](auto& m) { m.intrinsics[2] = kNan; },
           [&](auto& m) { m.intrinsics[0] = kInfinity; },
           [&](auto& m) { m.camera_to_grid[5] = kNan; },
           [&](auto& m) { m.camera_to_grid[11] = kInfinity; },
           [&](auto& m) { m.image_augmentation[0] = kNan; },
       }) {
    IndexCase c = sound;
    break_it(c.matrices);
    const std::vector<int32_t> cells = index_on_cpu(c).cells;
    EXPECT_EQ(std::count(cells.begin(), cells.begin() + static_cast<int64_t>(points), -1), points);
    EXPECT_EQ(std::count(cells.begin() + static_cast<int64_t>(points), cells.end(), 0), points);
  }
}

TEST(BevIndex, LeavesSamplesAloneThatHaveNotChanged) {
  const IndexCase c = random_case("changed", {kSmall, {{-50, -50, -10}, {2, 2, 20}, {50, 50, 1}}}, 3, 2);
  const Index before = empty_index(c), all = index_on_cpu(c);
  for (const std::vector<int32_t>& changed :
       {std::vector<int32_t>{1, 0, 1}, std::vector<int32_t>{0, 5, 0}, std::vector<int32_t>{0, 0, 0}}) {
    Index index = before;
    build_on_cpu<double, double>(c, changed, index);
    for (int64_t sample = 0; sample < 3; ++sample) {
      const bool is_new = changed[static_cast<size_t>(sample)] != 0;
      const Index& want = is_new ? all : before;
      const auto same = [&](const auto& a, const auto& b, int64_t size) {
        return std::equal(a.begin() + sample * size, a.begin() + (sample + 1) * size,
                          b.begin() + sample * size);
      };
      EXPECT_TRUE(same(index.cell_starts, want.cell_starts, c.starts()));
      EXPECT_TRUE(same(index.cells, want.cells, c.capacity()));
      if (is_new)
        EXPECT_TRUE(runs_of(c, index, sample) == runs_of(c, all, sample));
      else
        EXPECT_TRUE(same(index.runs, before.runs, c.capacity()));
    }
  }
}

}  // namespace
}  // namespace tyto::kernels::bev_index_test
