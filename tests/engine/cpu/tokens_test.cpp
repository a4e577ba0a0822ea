// Rows of any rank, and what is done with them between the layers of a network.
#include <gtest/gtest.h>

#include "engine/graph/passes.h"
#include "engine/runtime/plan_graph.h"
#include "engine/self_test/cases.h"
#include "support/compare.h"
#include "support/random_weights.h"

namespace tyto {
namespace {

class CpuTokens : public testing::Test {
 protected:
  // Every output is the reference's, as it is built and as it is optimised.
  void expect_right(const Graph& graph, double terms = 1, double layers = 1) {
    const auto inputs = noise_for(graph);
    const auto want = run_reference(graph, inputs);
    for (const int threads : {1, 3}) {
      Context context({.device = "cpu", .threads = threads});
      for (const Graph& compiled : {graph, optimise(graph)}) {
        Plan plan = plan_graph(compiled, context, Precision::Fp32);
        const auto& got = plan.run(inputs);
        for (const auto& [name, tensor] : want) {
          EXPECT_EQ(got.at(name).dtype(), tensor.dtype()) << name;
          EXPECT_LE(relative_error(got.at(name), tensor), sum_tolerance(Precision::Fp32, terms, layers))
              << name;
        }
      }
    }
  }

  Graph g;
};

TEST_F(CpuTokens, AreSeenOtherwiseMovedAndRepeated) {
  const Value x = g.rows_input("x", {2, 3, 4, 5}), i = g.input("i", {2, 3, 4}, Elements::I32);
  g.output("reshape", g.reshape(x, {2, -1, 5}));
  g.output("reshape of I32", g.reshape(i, {6, 4}));
  for (const std::vector<int>& order :
       std::vector<std::vector<int>>{{0, 2, 1, 3}, {3, 2, 1, 0}, {0, 1, 2, 3}})
    g.output("permute " + std::to_string(order[0]) + std::to_string(order[1]), g.permute(x, order));
  g.output("permute of I32", g.permute(i, {0, 2, 1}));
  for (int axis : {0, 1, 2, 3, -1})
    g.output("concat " + std::to_string(axis), g.concat({x, g.relu(x), x}, axis));
  g.output("concat of I32", g.concat({i, i}, 1));
  for (int axis : {0, 1, 2, 3}) g.output("slice " + std::to_string(axis), g.slice(x, axis, 1, 1));
  g.output("slice of I32", g.slice(i, -1, 1, 3));
  const Value one = g.slice(x, 2, 0, 1);
  g.output("expand", g.expand(one, {2, 3, 7, 5}));
  g.output("expand of I32", g.expand(g.slice(i, 0, 0, 1), {4, 3, 4}));
  expect_right(g);
}

TEST_F(CpuTokens, AreBroadcast) {
  const Value x = g.rows_input("x", {2, 3, 5}), exact = g.input("exact", {4, 3, 5});
  const auto like = [&](const Shape& shape) { return g.rows_input("of " + shape.str(), shape); };
  for (const Shape& shape : {Shape{5}, Shape{1, 3, 5}, Shape{3, 5}, Shape{2, 1, 5}, Shape{2, 3, 1}, Shape{1},
                             Shape{2, 3, 5}, Shape{3, 1}}) {
    const Value y = like(shape);
    g.output("add " + shape.str(), g.add(x, y));
    g.output("sub " + shape.str(), g.relu(g.sub(x, y)));
    g.output("mul " + shape.str(), g.mul(x, y));
  }
  g.output("exact", g.mul(exact, exact));
  expect_right(g);
}

TEST_F(CpuTokens, AreAddedToMapsByChannel) {
  const Weights w = weights({{"conv.weight", {16, 3, 3, 3}}});
  for (const bool behind_convolution : {false, true}) {
    Graph graph;
    const Value image = graph.image_input("image", {2, 3, 6, 5});
    const Value map =
        behind_convolution ? graph.conv2d(image, w.scope("conv"), {.kernel = 3, .padding = 1}) : image;
    const int64_t c = graph.channels(map);
    const Value rows = graph.rows_input("rows", {c}), column = graph.image_input("column", {2, c, 6, 1}),
                scales = graph.image_input("scales", {2, c, 1, 1}),
                plane = graph.image_input("plane", {1, 1, 6, 5});
    for (const auto& [name, y] :
         {std::pair{"rows", rows}, {"column", column}, {"scales", scales}, {"plane", plane}}) {
      graph.output(std::string("add ") + name, graph.add(map, y));
      graph.output(std::string("sub ") + name, graph.sub(map, y));
      graph.output(std::string("mul ") + name, graph.mul(map, y));
    }
    expect_right(graph, 27, 2);
  }
}

TEST_F(CpuTokens, AreNormalisedAndReduced) {
  const Weights w = weights({{"norm.weight", {7}}, {"norm.bias", {7}}});
  const Value x = g.rows_input("x", {3, 5, 7});
  g.output("layer norm", g.layer_norm(x, w.scope("norm"), {.epsilon = 1e-6f}));
  g.output("bare layer norm", g.apply(LayerNorm{}, {x}));
  for (int axis : {0, 1, 2, -2}) {
    g.output("softmax " + std::to_string(axis), g.softmax(x, axis));
    for (const auto function : {kernels::Reduction::Mean, kernels::Reduction::Max, kernels::Reduction::Sum})
      g.output("reduce " + std::to_string(axis) + std::to_string(static_cast<int>(function)),
               g.reduce(x, {function, axis}));
  }
  expect_right(g, 49, 2);
}

TEST_F(CpuTokens, OfMapsAreJoinedCutAndReduced) {
  const Weights w = weights({{"a.weight", {16, 3, 1, 1}}, {"b.weight", {5, 3, 3, 3}}});
  const Value image = g.image_input("image", {2, 3, 6, 5});
  const Value a = g.conv2d(image, w.scope("a"), {}),
              b = g.conv2d(image, w.scope("b"), {.kernel = 3, .padding = 1});
  const Value all = g.concat({a, b, image, a}, 1);
  g.output("concat", all);
  g.output("slice", g.slice(all, 1, 13, 9));
  for (int axis : {1, 2, 3}) {
    g.output("softmax " + std::to_string(axis), g.softmax(all, axis));
    g.output("mean " + std::to_string(axis), g.reduce(all, {kernels::Reduction::Mean, axis}));
  }
  const Value tokens = g.to_rows(a, Channels::Last);
  g.output("tokens", tokens);
  g.output("map", g.to_map(g.relu(tokens), Channels::Last));
  g.output("planes", g.to_rows(a));
  expect_right(g, 27, 2);
}

TEST_F(CpuTokens, StandBesideConstants) {
  const Weight values = constant("positions", noise({1, 3, 5}, 9));
  const Value x = g.rows_input("x", {2, 3, 5}), c = g.constant(values);
  g.output("sum", g.add(x, c));
  g.output("constant", c);
  g.output("expanded", g.expand(c, {2, 3, 5}));
  g.output("exact", g.constant(values, Elements::F32));
  expect_right(g);
}

TEST_F(CpuTokens, OfMapsOfOtherSizes) {
  const Weights w = weights({{"conv.weight", {16, 3, 1, 1}}});
  const Value image = g.image_input("image", {2, 3, 7, 5});
  for (const auto& [name, x] : {std::pair{"image", image}, {"conv", g.conv2d(image, w.scope("conv"), {})}}) {
    const std::string of = std::string(" of ") + name;
    for (const auto mode :
         {kernels::Upsampling::Nearest, kernels::Upsampling::Bilinear, kernels::Upsampling::BilinearCorners})
      g.output("upsample " + std::to_string(static_cast<int>(mode)) + of,
               g.apply(Upsample{14, 9, mode}, {x}));
    for (const auto mode : {kernels::PadMode::Zeros, kernels::PadMode::Reflect, kernels::PadMode::Replicate})
      g.output("pad " + std::to_string(static_cast<int>(mode)) + of, g.apply(Pad{{2, 1, 0, 3}, mode}, {x}));
    g.output(
        "average pool" + of,
        g.average_pool(x, {.kernel = 3, .stride = 2, .padding = 1, .ceil = true, .count_padding = false}));
  }
  expect_right(g, 16, 3);
}

}  // namespace
}  // namespace tyto
