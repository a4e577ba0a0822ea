#include "engine/graph/graph.h"

#include <gtest/gtest.h>

#include <limits>

#include "support/errors.h"
#include "support/random_weights.h"

namespace tyto {
namespace {

struct OneInput {
  Graph graph;
  Value x;
  explicit OneInput(const Shape& shape)
      : x(shape.rank() == 4 ? graph.image_input("input", shape) : graph.rows_input("input", shape)) {}
};

TEST(GraphShapes, OfAConvolution) {
  OneInput g({2, 6, 11, 8});
  const Weights w = weights({{"c.weight", {10, 3, 3, 3}}});
  const auto shape = [&](const Conv2d& op) { return g.graph.shape(g.graph.conv2d(g.x, w.scope("c"), op)); };
  EXPECT_EQ(shape({.kernel = 3, .groups = 2}), (Shape{2, 10, 9, 6}));
  EXPECT_EQ(shape({.kernel = 3, .padding = 1, .groups = 2}), (Shape{2, 10, 11, 8}));
  EXPECT_EQ(shape({.kernel = 3, .stride = 2, .padding = 1, .groups = 2}), (Shape{2, 10, 6, 4}));
  EXPECT_EQ(shape({.kernel = 3, .stride = 3, .groups = 2}), (Shape{2, 10, 3, 2}));
  EXPECT_EQ(shape({.kernel = 3, .dilation = 3, .groups = 2}), (Shape{2, 10, 5, 2}));
  EXPECT_EQ(shape({.kernel = 3, .padding = {0, 1, 2, 3}, .groups = 2}), (Shape{2, 10, 11, 10}));
}

TEST(GraphShapes, AConvolutionNamesItsLayerAndBothShapes) {
  OneInput g({2, 6, 11, 8});
  const Weights w =
      weights({{"layer1.0.conv1.weight", {10, 3, 3, 3}}, {"layer1.0.conv2.weight", {9, 3, 3, 3}}});
  expect_error([&] { g.graph.conv2d(g.x, w.scope("layer1.0.conv1"), {.kernel = 3}); }, ErrorKind::Format,
               {"'layer1.0.conv1.weight'", "[10, 3, 3, 3]", "[any, 6, 3, 3]"});
  expect_error([&] { g.graph.conv2d(g.x, w.scope("layer1.0.conv2"), {.kernel = 3, .groups = 2}); },
               ErrorKind::Shape, {"'layer1.0.conv2'", "[9, 3, 3, 3]", "[2, 6, 11, 8]"});
  expect_error(
      [&] { g.graph.conv2d(g.x, w.scope("layer1.0.conv1"), {.kernel = 3, .dilation = 5, .groups = 2}); },
      ErrorKind::Shape, {"'layer1.0.conv1'", "window of 11", "width of 8"});
}

TEST(GraphShapes, AConvolutionNeedsAnImage) {
  OneInput g({2, 6});
  const Weights w = weights({{"c.weight", {10, 6, 1, 1}}});
  expect_error([&] { g.graph.conv2d(g.x, w.scope("c"), {}); }, ErrorKind::Shape,
               {"'c'", "[N, C, H, W]", "[2, 6]"});
}

TEST(GraphShapes, AResidualFitsTheOutput) {
  OneInput g({1, 3, 8, 8});
  const Weights w = weights({{"c.weight", {5, 3, 3, 3}}});
  const Value y = g.graph.conv2d(g.x, w.scope("c"), {.kernel = 3});
  Node node = g.graph.node(y);
  node.inputs.push_back(g.x);
  expect_error([&] { infer_results(g.graph, node); }, ErrorKind::Shape,
               {"'c'", "[1, 3, 8, 8]", "[1, 5, 6, 6]"});
}

TEST(GraphShapes, LinearMapsTheLastDimensionOfRows) {
  const Weights w = weights({{"fc.weight", {7, 36}}, {"fc.bias", {7}}, {"odd.weight", {7, 35}}});
  for (const Shape& rows : {Shape{36}, Shape{2, 36}, Shape{2, 5, 36}, Shape{2, 3, 4, 36}}) {
    Graph g;
    const Value x = g.rows_input("input", rows);
    Shape want = rows;
    want[rows.rank() - 1] = 7;
    EXPECT_EQ(g.shape(g.linear(x, w.scope("fc"))), want);
    expect_error([&] { g.linear(x, w.scope("odd")); }, ErrorKind::Format,
                 {"'odd.weight'", "[7, 35]", "[any, 36]"});
  }
  OneInput map({2, 6, 3, 2});
  EXPECT_EQ(map.graph.shape(map.graph.linear(map.x, w.scope("fc"))), (Shape{2, 7}));
  expect_error([&] { map.graph.linear(map.x, w.scope("odd")); }, ErrorKind::Format,
               {"'odd.weight'", "[7, 35]", "[any, 36]"});
}

TEST(GraphShapes, ANodeThatCountsHasItsCountBesideIt) {
  Graph g;
  const Value table = g.input("table", {2, 9, 3}, Elements::I32, /*counted=*/true);
  EXPECT_EQ(g.shape(*g.result(table).count), (Shape{2}));
  g.output("rows", table);
  ASSERT_EQ(g.outputs().size(), 2u);
  EXPECT_EQ(g.outputs()[1].first, "rows.count");
  EXPECT_EQ(g.outputs()[1].second, *g.result(table).count);
  ASSERT_EQ(g.inputs().size(), 2u);
  EXPECT_EQ(g.inputs()[1].first, "table.count");
}

TEST(GraphShapes, SuppressionTakesSharedBoxesOrOneAClassAndTheirCount) {
  Graph g;
  const Value scores = g.input("scores", {2, 3, 50}), shared = g.input("shared", {2, 50, 4});
  const Value of_classes = g.input("of classes", {2, 50, 3, 4}, Elements::F32, /*counted=*/true);
  EXPECT_EQ(g.shape(g.nms("found", shared, scores, {.top_k = 7})), (Shape{2, 21, 6}));
  const Value kept = g.nms("found", of_classes, scores, {.agnostic = true});
  EXPECT_EQ(g.shape(kept), (Shape{2, 150, 6}));
  EXPECT_EQ(g.node(kept).inputs.back(), *g.result(of_classes).count);
  const Value two = g.input("two", {2, 50, 2, 4}), objectness = g.input("objectness", {2, 1, 50});
  expect_error([&] { g.nms("found", two, scores, {}); }, ErrorKind::Shape, {"[2, 50, 2, 4]", "[2, 3, 50]"});
  EXPECT_EQ(g.shape(g.nms("found", shared, objectness, {.top_k = 9, .levels = {45, 5}})), (Shape{2, 14, 6}));
  expect_error([&] { g.nms("found", shared, objectness, {.levels = {45, 6}}); }, ErrorKind::Shape, {"51"});
  expect_error([&] { g.nms("found", shared, scores, {.levels = {50}}); }, ErrorKind::Shape, {"[2, 3, 50]"});
}

TEST(GraphShapes, PositionAttentionIsOfMapsOfOneSize) {
  Graph g;
  const Value x = g.image_input("x", {2, 8, 5, 4}), few = g.slice(x, 1, 0, 2), other = g.slice(x, 1, 0, 3),
              small = g.max_pool(few, {});
  const Weights w = weights({{"gamma", {1}}, {"gammas", {8}}});
  EXPECT_EQ(g.shape(g.position_attention(few, few, x, x, w("gamma", {1}))), (Shape{2, 8, 5, 4}));
  const auto refused = [&](Value q, Value k, Value v, const std::string& what) {
    expect_error([&] { g.position_attention(q, k, v, x, w("gamma", {1})); }, ErrorKind::Shape, {what});
  };
  refused(few, other, x, "[2, 3, 5, 4]");
  refused(few, small, x, "[2, 2, 2, 2]");
  refused(few, few, other, "[2, 3, 5, 4]");
  refused(g.to_rows(few), few, x, "needs a map");
  expect_error([&] { g.position_attention(few, few, x, x, w("gammas", {8})); }, ErrorKind::Shape,
               {"gamma", "[8]"});
}

TEST(GraphShapes, InputsAndOutputsHaveDifferentNames) {
  Graph g;
  const Value a = g.input("a", {2, 3}), b = g.input("b", {2, 3});
  expect_error([&] { g.input("a", {1, 1}); }, ErrorKind::Usage, {"two inputs", "'a'"});
  g.output("y", a);
  expect_error([&] { g.output("y", b); }, ErrorKind::Usage, {"two outputs", "'y'"});
}

TEST(GraphTypes, AreNotMixed) {
  Graph g;
  const Value exact = g.input("matrix", {2, 4}), x = g.cast(exact, Elements::Activation),
              table = g.input("table", {2, 4}, Elements::I32);
  EXPECT_EQ(g.result(g.add(exact, exact)).elements, Elements::F32);
  EXPECT_EQ(g.result(g.add(x, x)).elements, Elements::Activation);
  expect_error([&] { g.add(x, exact); }, ErrorKind::Shape, {"activations", "F32", "cast one"});
  expect_error([&] { g.relu(table); }, ErrorKind::Shape, {"cannot compute", "I32"});
  expect_error([&] { g.cast(table, Elements::F32); }, ErrorKind::Shape, {"I32"});
  expect_error([&] { g.concat({x, exact}, 1); }, ErrorKind::Shape, {"join", "activations", "F32"});
  const Value map = g.image_input("image", {2, 3, 4, 5});
  expect_error([&] { g.add(map, g.to_rows(map)); }, ErrorKind::Shape, {"a map", "rows"});
  expect_error([&] { g.flip_horizontal(map); }, ErrorKind::Shape, {"images", "a map"});
}

TEST(GraphShapes, ABiasFitsItsWeight) {
  OneInput g({2, 6});
  const Weights w = weights({{"fc.weight", {7, 6}}, {"fc.bias", {6}}});
  expect_error([&] { g.graph.linear(g.x, w.scope("fc")); }, ErrorKind::Format, {"'fc.bias'", "[6]", "[7]"});
}

TEST(GraphShapes, NormalisationFitsTheChannels) {
  OneInput g({2, 6, 4, 4});
  const Weights w = weights(batch_norm_at("six", 6) + batch_norm_at("four", 4) + batch_norm_at("eight", 8));
  EXPECT_EQ(g.graph.shape(g.graph.batch_norm(g.x, w.scope("six"))), (Shape{2, 6, 4, 4}));
  EXPECT_EQ(g.graph.shape(g.graph.batch_norm(g.x, w.scope("four"), {.first_channel = 2})),
            (Shape{2, 6, 4, 4}));
  EXPECT_EQ(g.graph.shape(g.graph.instance_norm(g.x, w.scope("four"))), (Shape{2, 6, 4, 4}));
  expect_error([&] { g.graph.batch_norm(g.x, w.scope("four")); }, ErrorKind::Format,
               {"'four.weight'", "[4]", "[6]"});
  expect_error([&] { g.graph.instance_norm(g.x, w.scope("eight")); }, ErrorKind::Shape,
               {"'eight'", "8 channels", "[2, 6, 4, 4]"});
}

TEST(GraphShapes, ViewsAreOfImagesAndFeaturesAreRows) {
  Graph g;
  const Value image = g.input("input", {2, 3, 10, 7}), map = g.to_map(image);
  EXPECT_EQ(g.shape(g.flip_horizontal(image)), (Shape{2, 3, 10, 7}));
  EXPECT_EQ(g.shape(g.rescale_bicubic(image, 1.5)), (Shape{2, 3, 15, 10}));
  expect_error([&] { g.rescale_bicubic(image, 0.1); }, ErrorKind::Shape,
               {"nothing is left", "[2, 3, 10, 7]"});
  const Value row = g.flatten(image), shorter = g.flatten(g.global_average_pool(map));
  EXPECT_EQ(g.shape(g.normalized_sum("sum", {row, row})), (Shape{2, 210}));
  expect_error(
      [&] {
        g.normalized_sum("sum", {row, shorter});
      },
      ErrorKind::Shape, {"sum", "[2, 210]", "[2, 3]"});
  expect_error([&] { g.normalized_sum("sum", {image}); }, ErrorKind::Shape, {"sum", "[2, 3, 10, 7]"});
}

TEST(GraphShapes, SummandsAreEqual) {
  OneInput g({2, 6, 4, 4});
  const Value pooled = g.graph.max_pool(g.x, {});
  expect_error([&] { g.graph.add(g.x, pooled); }, ErrorKind::Shape, {"[2, 6, 4, 4]", "[2, 6, 2, 2]"});
}

// Sizes that torch.nn.MaxPool2d gives (1.13): size, kernel, stride, padding -> floor, ceil.
TEST(GraphShapes, MaxPoolRoundsAsPyTorch) {
  const int table[][6] = {{7, 2, 2, 0, 3, 4}, {8, 2, 2, 0, 4, 4}, {7, 3, 2, 1, 4, 4}, {8, 3, 2, 1, 4, 5},
                          {6, 3, 2, 1, 3, 4}, {5, 2, 2, 1, 3, 3}, {5, 1, 3, 0, 2, 2}, {4, 2, 3, 1, 2, 2},
                          {6, 1, 4, 0, 2, 2}, {10, 3, 3, 0, 3, 4}};
  for (const auto& [size, kernel, stride, padding, floor, ceil] : table) {
    OneInput g({1, 1, size, 30});
    const auto rows = [&](bool up) {
      const MaxPool op{.kernel = kernel, .stride = stride, .padding = padding, .ceil = up};
      return g.graph.shape(g.graph.max_pool(g.x, op))[2];
    };
    EXPECT_EQ(rows(false), floor) << size << " " << kernel << " " << stride << " " << padding;
    EXPECT_EQ(rows(true), ceil) << size << " " << kernel << " " << stride << " " << padding;
  }
}

TEST(GraphShapes, AWindowThatDoesNotFitNamesTheLayerBefore) {
  OneInput g({1, 3, 1, 9});
  expect_error([&] { g.graph.max_pool(g.x, {}); }, ErrorKind::Shape, {"input", "window of 2", "height of 1"});
}

TEST(GraphShapes, AResultThatNoMemoryHoldsNamesItsLayer) {
  const int64_t many = int64_t{1} << 22, most = std::numeric_limits<int64_t>::max();
  OneInput g({many, 1, 1, many});
  expect_error(
      [&] {
        g.graph.adaptive_average_pool(g.x, {2, 1 << 30});
      },
      ErrorKind::Memory,
      {"layer 'average_pool after input'", "[4194304, 1, 2, 1073741824]", "no memory holds"});
  expect_error([&] { OneInput({1, most, 1, most}); }, ErrorKind::Memory, {"'input'", "no memory holds"});
}

TEST(GraphShapes, FlattenAndAdaptivePoolingOfAMap) {
  OneInput g({2, 6, 5, 3});
  EXPECT_EQ(g.graph.shape(g.graph.flatten(g.x)), (Shape{2, 90}));
  EXPECT_EQ(g.graph.shape(g.graph.adaptive_average_pool(g.x, {7, 2})), (Shape{2, 6, 7, 2}));
  OneInput empty({2, 6, 0, 3});
  expect_error([&] { empty.graph.global_average_pool(empty.x); }, ErrorKind::Shape, {"[2, 6, 0, 3]"});
}

TEST(GraphShapes, ASecondInputIsRepeatedToTheFirst) {
  OneInput g({2, 6, 4, 4});
  Graph& graph = g.graph;
  const Value channels = graph.input("channels", {6}), five = graph.input("five", {5});
  const Value x = graph.cast(g.x, Elements::F32), pooled = graph.global_average_pool(x);
  for (const Value b : {x, channels, pooled, graph.slice(x, 1, 2, 1)})
    EXPECT_EQ(graph.shape(graph.sub(x, b)), (Shape{2, 6, 4, 4}));
  expect_error([&] { graph.mul(x, five); }, ErrorKind::Shape, {"multiply", "[2, 6, 4, 4]", "[5]"});
  expect_error([&] { graph.sub(pooled, x); }, ErrorKind::Shape, {"subtract", "[2, 6, 1, 1]"});
  expect_error([&] { graph.add(g.x, channels); }, ErrorKind::Shape, {"activations", "F32", "cast one"});
  const Value rows = graph.input("rows", {2, 5, 3});
  EXPECT_EQ(graph.shape(graph.add(rows, graph.reshape(five, {5, 1}))), (Shape{2, 5, 3}));
  expect_error([&] { graph.add(rows, five); }, ErrorKind::Shape, {"add", "[2, 5, 3]", "[5]"});
}

TEST(GraphShapes, RowsMoveWithinTheirSizes) {
  OneInput g({2, 5, 12});
  Graph& graph = g.graph;
  const Value x = g.x;
  EXPECT_EQ(graph.shape(graph.reshape(x, {-1, 4, 3})), (Shape{10, 4, 3}));
  EXPECT_EQ(graph.shape(graph.permute(x, {2, 0, 1})), (Shape{12, 2, 5}));
  EXPECT_EQ(graph.shape(graph.slice(x, -1, 3, 9)), (Shape{2, 5, 9}));
  EXPECT_EQ(graph.shape(graph.concat({x, graph.slice(x, 1, 0, 2)}, 1)), (Shape{2, 7, 12}));
  EXPECT_EQ(graph.shape(graph.expand(graph.slice(x, 1, 0, 1), {2, 4, 12})), (Shape{2, 4, 12}));
  expect_error([&] { graph.reshape(x, {-1, 7}); }, ErrorKind::Shape, {"[2, 5, 12]", "[-1, 7]"});
  expect_error([&] { graph.reshape(x, {-1, -1}); }, ErrorKind::Shape, {"[2, 5, 12]", "[-1, -1]"});
  expect_error([&] { graph.permute(x, {0, 1, 1}); }, ErrorKind::Shape, {"[0, 1, 1]", "[2, 5, 12]"});
  expect_error([&] { graph.permute(x, {0, 1}); }, ErrorKind::Shape, {"[0, 1]", "[2, 5, 12]"});
  expect_error([&] { graph.slice(x, 1, 4, 2); }, ErrorKind::Shape, {"2 from 4", "[2, 5, 12]"});
  expect_error([&] { graph.slice(x, 3, 0, 1); }, ErrorKind::Shape, {"no axis 3", "[2, 5, 12]"});
  expect_error(
      [&] {
        graph.concat({x, graph.slice(x, 1, 0, 2)}, 2);
      },
      ErrorKind::Shape, {"join", "[2, 5, 12]", "[2, 2, 12]"});
  expect_error([&] { graph.expand(x, {2, 10, 12}); }, ErrorKind::Shape, {"[2, 5, 12]", "[2, 10, 12]"});
}

TEST(GraphShapes, MapsAreJoinedAndCutAlongTheirChannels) {
  OneInput g({2, 6, 4, 5});
  Graph& graph = g.graph;
  EXPECT_EQ(graph.shape(graph.slice(graph.concat({g.x, g.x}, 1), 1, 2, 7)), (Shape{2, 7, 4, 5}));
  expect_error([&] { graph.slice(g.x, 2, 0, 1); }, ErrorKind::Shape, {"no axis 2", "a map"});
  expect_error([&] { graph.concat({g.x, graph.to_rows(g.x)}, 1); }, ErrorKind::Shape, {"a map", "rows"});
  expect_error([&] { graph.permute(g.x, {0, 2, 3, 1}); }, ErrorKind::Shape, {"needs rows", "a map"});
}

TEST(GraphShapes, ResampledAndPaddedMaps) {
  OneInput g({2, 6, 4, 5});
  Graph& graph = g.graph;
  EXPECT_EQ(graph.shape(graph.apply(Upsample{9, 2}, {g.x})), (Shape{2, 6, 9, 2}));
  EXPECT_EQ(graph.shape(graph.apply(Pad{{3, 1, 0, 2}}, {g.x})), (Shape{2, 6, 7, 8}));
  EXPECT_EQ(graph.shape(graph.average_pool(g.x, {.kernel = 3, .stride = 2, .ceil = true})),
            (Shape{2, 6, 2, 2}));
  expect_error([&] { graph.apply(Upsample{0, 2}, {g.x}); }, ErrorKind::Shape, {"[2, 6, 4, 5]", "0 x 2"});
  expect_error(
      [&] {
        graph.apply(Pad{{4, 0, 0, 0}, kernels::PadMode::Reflect}, {g.x});
      },
      ErrorKind::Shape, {"border of 4, 0, 0 and 0", "[2, 6, 4, 5]"});
  expect_error([&] { graph.average_pool(g.x, {.kernel = 3, .padding = 2}); }, ErrorKind::Shape,
               {"padding of 2", "window of 3"});
}

}  // namespace
}  // namespace tyto
