// What a C program gets of tyto_bev.h, beside what functions_test.cpp checks.
#include <gtest/gtest.h>
#include <tyto_bev.h>

#include <cmath>

#include "c_interface/sample.h"

namespace tyto {
namespace {

// The place of a sample's array in its descriptor's memory.
template <class T>
T* values(Sample& sample, const std::string& name) {
  for (SampleArray& array : sample.arrays)
    if (array.name == name) return reinterpret_cast<T*>(array.bytes.data());
  return nullptr;
}

TEST(CBev, NamesTheCameraWhoseMatrixIsSingularAndBuildsTheOthers) {
  std::vector<Sample> all = samples(TYTO_DOUBLE);
  Sample& index = all.front();
  double* const intrinsics = values<double>(index, "intrinsics");
  for (const double bad : {0.0, static_cast<double>(NAN)}) {
    intrinsics[9] = bad;
    const Answer answer = call_on_cpu(index);
    EXPECT_EQ(answer.code, TYTO_BEV_SINGULAR_MATRIX);
    EXPECT_EQ(
        answer.text,
        "tyto_bev_index: the matrices of camera 1 of sample 0 have no inverse or are not finite; it has no "
        "points");
    const int32_t* const cells = values<int32_t>(index, "cells");
    for (int i = 0; i < 12; ++i) EXPECT_EQ(cells[i] >= 0, i < 6) << i;
    EXPECT_EQ(values<int32_t>(index, "cell_starts")[40000], 6);
  }
}

TEST(CBev, LeavesASampleThatHasNotChanged) {
  std::vector<Sample> all = samples(TYTO_FLOAT);
  Sample& index = all.front();
  ASSERT_EQ(call_on_cpu(index).code, TYTO_BEV_OK);
  const std::vector<SampleArray> before = index.arrays;
  values<float>(index, "intrinsics")[2] = 0;
  *values<int32_t>(index, "changed") = 0;
  ASSERT_EQ(call_on_cpu(index).code, TYTO_BEV_OK);
  for (size_t i = 0; i < before.size(); ++i)
    if (before[i].output) {
      EXPECT_EQ(index.arrays[i].bytes, before[i].bytes) << before[i].name;
    }
}

TEST(CBev, ComputesInFloatOfMatricesInFloatAlone) {
  std::vector<Sample> all = samples(TYTO_DOUBLE);
  static_cast<tyto_bev_index_desc*>(all.front().desc.get())->in_float = 1;
  const Answer answer = call_on_cpu(all.front());
  EXPECT_EQ(answer.code, TYTO_BEV_BAD_ARGUMENT);
  EXPECT_NE(answer.text.find(": in_float is 1, but elements is not TYTO_FLOAT"), std::string::npos);
}

TEST(CBev, RefusesAStrideBelowARow) {
  for (Sample& sample : samples(TYTO_FLOAT))
    for (auto& [name, size] : sample.sizes) {
      if (name.find("stride") == std::string::npos) continue;
      *size -= 1;
      const Answer answer = call_on_cpu(sample);
      EXPECT_EQ(answer.code, TYTO_BEV_BAD_ARGUMENT);
      EXPECT_NE(answer.text.find(name), std::string::npos) << answer.text;
      *size = 0;  // none is said
      EXPECT_EQ(call_on_cpu(sample).code, TYTO_BEV_OK);
    }
}

// BEVDet's own test.
TEST(CBev, HasTheSumsAndGradientsOfBevdet) {
  const float depth[8] = {.3f, .4f, .2f, .1f, .7f, .6f, .8f, .9f};  // bins come first
  const float features[8] = {1, 1, 1, 1, 1, 1, 1, 1}, ones[4] = {1, 1, 1, 1};
  const int32_t starts[3] = {0, 2, 4}, cells[8] = {0, 1, -1, -1, 0, -1, 1, -1};
  const tyto_bev_run runs[8] = {{0, 0, 1}, {2, 0, 1}, {1, 0, 1}, {2, 1, 1}};
  std::vector<char> workspace;
  char error[256];
  size_t bytes = 0;
  const auto common = [&](auto& d) {
    d.elements = TYTO_FLOAT;
    d.samples = d.cameras = d.rows = d.levels = 1;
    d.bins = d.height = d.width = d.channels = d.columns = 2;
    d.depth = depth, d.features = features, d.cell_starts = starts, d.runs = runs;
    d.logits = 0;
  };
  tyto_bev_pool_desc pool;
  tyto_bev_pool_defaults(&pool, sizeof pool);
  common(pool);
  float out[4];
  pool.out = out;
  ASSERT_EQ(tyto_bev_pool_workspace(&pool, &bytes, error, sizeof error), TYTO_BEV_OK) << error;
  workspace.resize(bytes);
  ASSERT_EQ(tyto_bev_pool(&pool, workspace.data(), bytes, nullptr, error, sizeof error), TYTO_BEV_OK)
      << error;
  EXPECT_NEAR(out[0] + out[1] + out[2] + out[3], 4.4, 1e-6);
  tyto_bev_pool_backward_desc back;
  tyto_bev_pool_backward_defaults(&back, sizeof back);
  common(back);
  std::vector<float> depth_gradient(8, 7), features_gradient(8, 7);
  back.cells = cells, back.out_gradient = ones;
  back.depth_gradient = depth_gradient.data(), back.features_gradient = features_gradient.data();
  ASSERT_EQ(tyto_bev_pool_backward_workspace(&back, &bytes, error, sizeof error), TYTO_BEV_OK) << error;
  workspace.resize(bytes);
  ASSERT_EQ(tyto_bev_pool_backward(&back, workspace.data(), bytes, nullptr, error, sizeof error), TYTO_BEV_OK)
      << error;
  EXPECT_EQ(depth_gradient, (std::vector<float>{2, 2, 0, 0, 2, 0, 2, 0}));
  const std::vector<float> want = {1, 1, .4f, .4f, .8f, .8f, 0, 0};
  for (size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(features_gradient[i], want[i], 1e-7) << i;
}

TEST(CBev, IsOfTheVersionOfTheHeader) { EXPECT_EQ(tyto_bev_version(), TYTO_BEV_VERSION); }

}  // namespace
}  // namespace tyto
