// Layers that run on a part of their rows: on as many as a run tells, or in passes.
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/cpu/lowering.h"
#include "engine/graph/passes.h"
#include "engine/runtime/plan_graph.h"
#include "engine/self_test/cases.h"
#include "engine/self_test/noise.h"
#include "support/compare.h"
#include "support/random_weights.h"

namespace tyto {
namespace {

constexpr int64_t kSamples = 3, kCapacity = 21;

// What is pooled from a map for regions whose number is an input, and layers over it.
struct Counted {
  Graph graph;
  Weights w = weights(
      {{"conv.weight", {32, 32, 3, 3}}, {"fc.weight", {9, 288}}, {"fc.bias", {9}}, {"last.weight", {4, 9}}});

  explicit Counted(bool counted) {
    Value rois = graph.input("rois", {kSamples, kCapacity, 4}, Elements::F32, counted);
    const Value map = graph.image_input("map", {kSamples, 32, 6, 7});
    RoiAlign align = {.height = 3, .width = 3};
    align.levels.scales[0] = 1;
    const Value features = graph.roi_align(rois, {map}, align);
    const Value x = graph.relu(graph.conv2d(features, w.scope("conv"), {.kernel = 3, .padding = 1}));
    const Value fc = graph.relu(graph.linear(x, w.scope("fc")));
    graph.output("fc", counted ? fc : graph.reshape(fc, {kSamples, kCapacity, 9}));
    const Value last = graph.linear(fc, w.scope("last"));
    graph.output("last", counted ? last : graph.reshape(last, {kSamples, kCapacity, 4}));
  }
};

std::map<std::string, Tensor> inputs_of(const Graph& graph) {
  std::map<std::string, Tensor> inputs = noise_for(graph);
  for (float& corner : inputs.at("rois").as<float>()) corner = 3 + 3 * corner;
  return inputs;
}

// Winograd's sums of 288 products, then 288 and 9.
double tolerance() { return sum_tolerance(Precision::Fp32, 288, 4, /*winograd=*/true); }

TEST(PartialRows, OfCountedRegionsThoseThatThereAreEqualALayerOverAll) {
  Context context({.device = "cpu", .threads = 2});
  Plan every = plan_graph(optimise(Counted(false).graph), context, Precision::Fp32);
  Plan some = plan_graph(optimise(Counted(true).graph), context, Precision::Fp32);
  std::map<std::string, Tensor> inputs = inputs_of(Counted(false).graph);
  const auto& want = every.run(inputs);
  for (const std::vector<int32_t>& counts :
       std::vector<std::vector<int32_t>>{{21, 0, 1}, {2, 20, 21}, {0, 0, 0}}) {
    inputs.insert_or_assign("rois.count", Tensor::of<int32_t>({kSamples}, counts));
    const auto& got = some.run(inputs);
    for (const std::string name : {"fc", "last"}) {
      const Tensor &all = want.at(name), &part = got.at(name);
      ASSERT_EQ(part.shape(), all.shape());
      const int64_t width = all.dim(2);
      double largest = 0, difference = 0;
      for (int64_t i = 0; i < all.shape().elements(); ++i) {
        const int64_t row = i / width;
        const double a = part.as<float>()[static_cast<size_t>(i)],
                     b = all.as<float>()[static_cast<size_t>(i)];
        const bool is_there = row % kCapacity < counts[static_cast<size_t>(row / kCapacity)];
        largest = std::max(largest, std::abs(b));
        if (is_there)
          difference = std::max(difference, std::abs(a - b));
        else
          ASSERT_EQ(a, 0) << "a row of nothing";
      }
      EXPECT_LE(difference, tolerance() * largest) << name;
    }
  }
}

// For weights packed for all rows oneDNN may have its reference loop alone on few of them, hundreds of times
// slower.
TEST(PartialRows, NoneRunsOneDnnsReferenceLoop) {
  using dnnl::memory;
  using Convolution = dnnl::convolution_forward;
  const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  constexpr int64_t kRows = 300, kWidth = 512;
  const auto rows = [](int64_t n) {
    return memory::desc({1, kWidth, n, 1}, memory::data_type::f32, memory::format_tag::nhwc);
  };
  const auto make = [&](int64_t n, const memory::desc& weights) {
    return Convolution::primitive_desc(
        {dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, rows(n), weights,
         memory::desc(), rows(n), memory::dims{1, 1}, memory::dims{0, 0}, memory::dims{0, 0}},
        {}, engine, /*allow_empty=*/true);
  };
  const auto whole = make(kRows, {{kWidth, kWidth, 1, 1}, memory::data_type::f32, memory::format_tag::any});
  const std::vector<cpu::Rung> rungs =
      cpu::rungs_of<Convolution>(whole, kRows, [&](int64_t n) { return make(n, whole.weights_desc()); });
  EXPECT_EQ(rungs.back().rows, kRows);
  for (const cpu::Rung& rung : rungs) EXPECT_FALSE(rung.algorithm.starts_with("ref")) << rung.rows;
}

// 3x3, of 128 channels on either side.
Graph convolution(const Shape& x) {
  const Weights w = weights({{"weight", {128, 128, 3, 3}}, {"bias", {128}}});
  Graph graph;
  graph.output("y", graph.relu(graph.conv2d(graph.image_input("x", x), w, {.kernel = 3, .padding = 1})));
  return optimise(graph);
}

TEST(PartialRows, ABatchTooLargeForWinogradsScratchIsDoneInPasses) {
  constexpr size_t kImages = 12;
  const Shape x_shape = {kImages, 128, 124, 128}, one_shape = {1, 128, 124, 128};
  OnCpu batch(convolution(x_shape), 2), one(convolution(one_shape), 2);
  if (!one.uses("wino")) GTEST_SKIP() << "this CPU has no Winograd kernel";
  EXPECT_TRUE(batch.uses("wino"));
  const int64_t of_one = one.executable->report().workspace_bytes,
                of_a_pass = batch.executable->report().workspace_bytes;
  constexpr int64_t kAllowed = int64_t{256} << 20;
  EXPECT_GT(of_one * int64_t{kImages}, kAllowed) << "no passes are needed";
  EXPECT_GT(of_a_pass, of_one);
  EXPECT_LE(of_a_pass, kAllowed);

  const Tensor x = noise(x_shape, 1, -1, 1);
  const Tensor& got = batch.run(x).at("y");
  const size_t values = x.as<float>().size() / kImages;
  for (const size_t i : {size_t{0}, kImages / 2, kImages - 1}) {
    const auto part = [&](const Tensor& t) {
      const auto image = t.as<float>().subspan(i * values, values);
      return Tensor::of<float>(one_shape, {image.begin(), image.end()});
    };
    EXPECT_LE(relative_error(part(got), one.run(part(x)).at("y")),
              sum_tolerance(Precision::Fp32, 1152, 1, /*winograd=*/true));
  }
}

TEST(PartialRows, WinogradsScratchLeavesMostOfAMemoryLimit) {
  const auto uses_winograd = [&](int64_t limit) {
    const auto plan = make_cpu_backend(2, limit)->compile(convolution({1, 128, 160, 160}), Precision::Fp32);
    return std::ranges::any_of(plan->report().steps, [](const PlanReport::Step& step) {
      return step.algorithm.find("wino") != std::string::npos;
    });
  };
  if (!uses_winograd(0)) GTEST_SKIP() << "this CPU has no Winograd kernel";
  EXPECT_TRUE(uses_winograd(int64_t{1} << 30));
  EXPECT_FALSE(uses_winograd(int64_t{128} << 20));
}

// The weights of a linear layer over a map are turned to the map's layout, not the map.
TEST(PartialRows, ALinearLayerReadsAMapInTheOrderOfItsChannels) {
  const Weights w = weights({{"weight", {10, 360}}, {"bias", {10}}});
  Graph graph;
  const Value map = graph.image_input("x", {2, 8, 5, 9});
  graph.output("map", graph.linear(map, w));
  graph.output("rows", graph.linear(graph.flatten(map), w));
  const Tensor x = noise({2, 8, 5, 9}, 3, -1, 1);
  OnCpu plan(optimise(graph));
  const auto& got = plan.run(x);
  const auto want = run_reference(graph, x);
  for (const auto& [name, tensor] : want)
    EXPECT_LE(relative_error(got.at(name), tensor), sum_tolerance(Precision::Fp32, 360, 1)) << name;
}

}  // namespace
}  // namespace tyto
