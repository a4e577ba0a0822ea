#include <gtest/gtest.h>

#include <algorithm>

#include "kernels/bev/bev_index.h"
#include "kernels/bev/bev_index_case.h"
#include "kernels/cuda/device_array.h"
#include "kernels/cuda/profile_batch.h"

namespace tyto::kernels::bev_index_test {
namespace {

// What the device makes of the index that it is given.
template <class M, class C>
Index built_on_device(const IndexCase& c, const std::vector<int32_t>& changed, const Index& before) {
  const auto matrices = matrices_of<M>(c);
  const DeviceArray<M> intrinsics(matrices.intrinsics), poses(matrices.camera_to_grid),
      augmentations(matrices.image_augmentation);
  const DeviceArray<int32_t> mask(changed);
  DeviceArray<int32_t> cell_starts(before.cell_starts), cells(before.cells);
  DeviceArray<BevRun> runs(before.runs);
  DeviceArray<char> workspace(bev_index_workspace(c.indexing, c.samples, c.cameras));
  build_bev_index<M, C>({intrinsics.data(), poses.data(), augmentations.data(), c.samples, c.cameras},
                        c.indexing, mask.data(), {cell_starts.data(), runs.data(), cells.data()},
                        workspace.data(), nullptr);
  return {cell_starts.download(), runs.download(), cells.download()};
}

// The bits of the CPU's, in all that an index promises.
template <class M, class C>
void expect_same_as_cpu(const IndexCase& c, bool with_cells = true,
                        const std::vector<int32_t>& changed = {}) {
  Index want = empty_index(c, with_cells);
  build_on_cpu<M, C>(c, changed, want);
  const Index index = built_on_device<M, C>(c, changed, empty_index(c, with_cells));
  EXPECT_EQ(index.cell_starts, want.cell_starts) << c.name;
  EXPECT_EQ(index.cells, want.cells) << c.name;
  for (int64_t sample = 0; sample < c.samples; ++sample) {
    // All that there is room for where nothing may be written.
    const bool is_new = changed.empty() || changed[static_cast<size_t>(sample)] != 0;
    const int64_t count =
        is_new ? want.cell_starts[static_cast<size_t>((sample + 1) * c.starts() - 1)] : c.capacity();
    const auto first = sample * c.capacity();
    EXPECT_TRUE(
        std::equal(index.runs.begin() + first, index.runs.begin() + first + count, want.runs.begin() + first))
        << c.name << ", sample " << sample;
  }
}

TEST(BevIndex, HasTheBitsOfTheCpu) {
  for (const IndexCase& c : random_cases()) expect_same_as_cpu<double, double>(c);
}

TEST(BevIndex, HasTheBitsOfTheCpuOfMatricesInFloat) {
  const IndexCase c = random_cases()[1];
  expect_same_as_cpu<float, double>(c);
  expect_same_as_cpu<float, float>(c);
  expect_same_as_cpu<float, float>(c, false);
}

TEST(BevIndex, HasTheBitsOfTheCpuWhereEachRunIsOfOnePoint) {
  expect_same_as_cpu<double, double>(full_case());
}

TEST(BevIndex, HasTheBitsOfTheCpuWhereAllPointsAreInOneOfManyCells) {
  for (const double lower : {-900.0, -90.0})  // the last cell, and one in the midst
    expect_same_as_cpu<double, double>(random_case(
        "one of many cells",
        {{128, 352, 2, 220, 11, 4, 1}, {{lower, lower, -500}, {1000, 1000, 1000}, {70, 70, 1}}}, 1, 2));
}

TEST(BevIndex, LeavesSamplesAloneThatHaveNotChangedOnTheDevice) {
  const IndexCase c =
      random_case("changed", {{128, 352, 4, 11, 13, 4, 3}, {{-50, -50, -10}, {4, 4, 20}, {25, 25, 1}}}, 3, 2);
  for (const std::vector<int32_t>& changed : {std::vector<int32_t>{1, 0, 1}, std::vector<int32_t>{0, 5, 0}})
    expect_same_as_cpu<double, double>(c, true, changed);
}

TEST(Profile, BevIndex) {
  const Frustum frustum = {128, 512, 4, 32, 10, 4, 4};
  const BevGrid grid = {{-50, -50, -10}, {1, 1, 20}, {100, 100, 1}};
  expect_same_as_cpu<double, double>(random_case("profile", {frustum, grid}, profile_batch(), 6));
  expect_same_as_cpu<float, double>(random_case("profile", {frustum, grid}, profile_batch(), 6));
  expect_same_as_cpu<float, float>(random_case("profile", {frustum, grid}, profile_batch(), 6));
}

}  // namespace
}  // namespace tyto::kernels::bev_index_test
