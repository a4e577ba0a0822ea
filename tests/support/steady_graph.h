// A graph of calibrated cameras, and that its prologue changes no bit of what a plan computes.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "engine/graph/passes.h"
#include "engine/runtime/plan_graph.h"
#include "support/random_weights.h"
#include "support/same_bits.h"

namespace tyto {

inline constexpr int64_t kSteadySamples = 3;

using Tensors = std::map<std::string, Tensor>;

// Samples of two cameras: their maps are pooled on a grid, and what is made of their poses alone goes to
// rows. Its inputs but "maps" are steady, or not.
inline Graph camera_graph(bool steady) {
  constexpr int64_t kCameras = 2, kBins = 3, kChannels = 5;
  const BevPool op = {.frustum = {.image_height = 3,
                                  .image_width = 4,
                                  .height = 3,
                                  .width = 4,
                                  .bins = static_cast<int>(kBins),
                                  .first_depth = 1,
                                  .depth_step = 1},
                      .grid = {.lower = {0, 0, 0}, .step = {2, 1.5, 2}, .cells = {4, 5, 2}}};
  const Weights w = weights({{"conv.weight", {4, 2 * kChannels, 3, 3}}, {"fc.weight", {6, 16}}});
  Graph g;
  const auto matrices = [&](const std::string& name, int64_t side) {
    return g.input(name, {kSteadySamples, kCameras, side, side}, Elements::F32, /*counted=*/false, steady);
  };
  const Value maps = g.image_input("maps", {kSteadySamples * kCameras, kBins + kChannels, 3, 4});
  const Value intrinsics = matrices("intrinsics", 3), pose = matrices("camera_to_grid", 4),
              augmentation = matrices("image_augmentation", 3);
  const auto index = g.bev_index("index", intrinsics, pose, augmentation, {op.frustum, op.grid});
  const Value map =
      g.bev_pool("pool", g.slice(maps, 1, 0, kBins), g.slice(maps, 1, kBins, kChannels), index, op);
  g.output("map", g.relu(g.conv2d(map, w.scope("conv"), {.kernel = 3, .padding = 1})));
  // Rows of the prologue: scratch of its own, one result that others read, one that is handed out.
  const Value poses = g.cast(g.reshape(pose, {kSteadySamples, kCameras, 16}), Elements::Activation);
  const Value embedded = g.softmax(g.linear(g.softmax(poses), w.scope("fc")));
  const Value mean = g.to_rows(g.global_average_pool(map));
  g.output("joined", g.concat({g.reshape(embedded, {kSteadySamples, 12}),
                               g.reshape(mean, {kSteadySamples, 2 * kChannels})},
                              1));
  g.output("embedded", embedded);
  g.output("cell_starts", index.cell_starts);
  return optimise(g);
}

// Calibrations that put points into the grid, others for each seed.
inline Tensors camera_inputs(uint32_t seed) {
  Tensors inputs;
  const Graph graph = camera_graph(true);
  for (const auto& [name, value] : graph.inputs()) {
    const Shape& shape = graph.shape(value);
    Tensor tensor = noise(shape, ++seed);
    if (name != "maps") {
      const int64_t side = shape[3];
      for (int64_t i = 0; float& v : tensor.as<float>()) {
        const int64_t at = i++ % (side * side);
        v = 0.1f * v + (at % (side + 1) == 0 ? 1.0f : 0.0f);
      }
    }
    inputs.emplace(name, std::move(tensor));
  }
  return inputs;
}

// Other bytes in one sample's pose.
inline void change_pose(Tensors& inputs, int64_t sample, float by = 0.25f) {
  auto poses = inputs.at("camera_to_grid").as<float>();
  poses[static_cast<size_t>(sample) * poses.size() / kSteadySamples + 3] += by;
}

inline Tensors clones(const Tensors& tensors) {
  Tensors copies;
  for (const auto& [name, tensor] : tensors) copies.emplace(name, tensor.clone());
  return copies;
}

inline void expect_same(const Tensors& got, const Tensors& want, const std::string& what) {
  ASSERT_EQ(got.size(), want.size());
  for (const auto& [name, tensor] : want) EXPECT_TRUE(same_bits(got.at(name), tensor)) << name << " " << what;
}

struct SteadyRun {
  std::string what;
  Tensors inputs;
  int64_t changed = 0;  // samples
};

inline std::vector<SteadyRun> steady_runs() {
  std::vector<SteadyRun> runs = {{"first", camera_inputs(1), 3}};
  const auto next = [&](const std::string& what, int64_t changed) -> Tensors& {
    return runs.emplace_back(SteadyRun{what, clones(runs.back().inputs), changed}).inputs;
  };
  next("again", 0);
  next("other images", 0).at("maps") = noise(runs[0].inputs.at("maps").shape(), 77);
  change_pose(next("one sample's pose", 1), 1);
  Tensors& two = next("two samples' poses", 2);
  change_pose(two, 0);
  change_pose(two, 2, -0.5f);
  next("again after two", 0);
  runs.push_back({"all others", camera_inputs(40), 3});
  runs.push_back({"all others again", camera_inputs(40), 0});
  return runs;
}

// Bit for bit what a plan without a prologue computes, whatever changed since the run before.
inline void expect_prologue_changes_nothing(Context& context, Precision precision) {
  Plan plan = plan_graph(camera_graph(true), context, precision),
       without = plan_graph(camera_graph(false), context, precision);
  int64_t changed = 0;
  std::vector<Tensors> want;
  for (const SteadyRun& run : steady_runs()) {
    SCOPED_TRACE(run.what + " in " + name_of(precision));
    want.push_back(clones(without.run(run.inputs)));
    expect_same(plan.run(run.inputs), want.back(), "after a run beside it");
    EXPECT_EQ(plan.prologue_samples(), changed += run.changed);
  }
  EXPECT_EQ(without.prologue_samples(), 0);
}

}  // namespace tyto
