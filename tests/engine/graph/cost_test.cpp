#include "engine/graph/cost.h"

#include <gtest/gtest.h>

#include "support/random_weights.h"

namespace tyto {
namespace {

struct Worked {
  const char* what;
  Shape input;
  Layout weights;
  Value (*build)(Graph& g, const Weights& w, Value x);
  double flop;
  int64_t read, written;  // numbers
};

// The last node's cost.
Cost cost_of(const Worked& c, DType activations) {
  Graph g;
  const Value x = c.input.rank() == 4   ? g.image_input("input", c.input)
                  : c.input.rank() == 2 ? g.rows_input("input", c.input)
                                        : g.input("input", c.input);
  const Value y = c.build(g, weights(c.weights), x);
  return cost_of(g, g.node(y), activations);
}

TEST(Cost, OfEachOperatorIsWhatAHandWorksOut) {
  const Worked cases[] = {
      {"400 results of 3 x 3 x 3 products",
       {2, 6, 5, 4},
       {{"c.weight", {10, 3, 3, 3}}},
       [](Graph& g, const Weights& w, Value x) {
         return g.conv2d(x, w.scope("c"), {.kernel = 3, .padding = 1, .groups = 2});
       },
       2 * 400 * 27,
       240 + 270,
       400},
      {"the scores of 6 x 6 positions in 2 products each, a softmax and 4 sums; q, k, v, x and gamma are "
       "read",
       {1, 4, 2, 3},
       {{"gamma", {1}}},
       [](Graph& g, const Weights& w, Value x) {
         const Value q = g.slice(x, 1, 0, 2);
         return g.position_attention(q, q, x, x, w("gamma", {1}));
       },
       36 * (2 * (2 + 4) + 5) + 2 * 24,
       12 + 12 + 24 + 24 + 1,
       24},
      {"a bias and a residual are read and no operations",
       {1, 4, 3, 3},
       {{"c.weight", {4, 4, 1, 1}}, {"c.bias", {4}}},
       [](Graph& g, const Weights& w, Value x) {
         Node node = g.node(g.conv2d(x, w.scope("c"), {}));
         node.inputs.push_back(x);
         return g.append(node);
       },
       2 * 36 * 4,
       36 + 36 + 16 + 4,
       36},
      {"36 values in 3 x 2 x 2 products of one of 2 groups",
       {1, 4, 3, 3},
       {{"weight", {4, 3, 2, 2}}},
       [](Graph& g, const Weights& w, Value x) {
         return g.apply(ConvTranspose2d{.groups = 2}, {x}, {w("weight", {4, 3, 2, 2})});
       },
       2 * 36 * 3 * 4,
       36 + 48,
       6 * 36},
      {"3 rows of 5 sums of 8 products",
       {3, 8},
       {{"fc.weight", {5, 8}}, {"fc.bias", {5}}},
       [](Graph& g, const Weights& w, Value x) { return g.linear(x, w.scope("fc")); },
       2 * 3 * 5 * 8,
       24 + 40 + 5,
       15},
      {"4 of 6 channels scaled and shifted",
       {1, 6, 2, 2},
       batch_norm_at("bn", 4),
       [](Graph& g, const Weights& w, Value x) {
         return g.batch_norm(x, w.scope("bn"), {.first_channel = 2});
       },
       2 * 4 * 4,
       24 + 4 * 4,
       24},
      {"3 of 6 channels normalised",
       {1, 6, 2, 2},
       {{"in.weight", {3}}, {"in.bias", {3}}},
       [](Graph& g, const Weights& w, Value x) { return g.instance_norm(x, w.scope("in")); },
       7 * 3 * 4,
       24 + 6,
       24},
      {"24 sums",
       {1, 2, 3, 4},
       {},
       [](Graph& g, const Weights&, Value x) { return g.add(x, x); },
       24,
       48,
       24},
      {"24 activations",
       {1, 2, 3, 4},
       {},
       [](Graph& g, const Weights&, Value x) { return g.relu(x); },
       24,
       24,
       24},
      {"2 x 3 x 2 maxima of 3 x 3",
       {1, 2, 7, 5},
       {},
       [](Graph& g, const Weights&, Value x) { return g.max_pool(x, {.kernel = 3, .stride = 2}); },
       12 * 9,
       70,
       12},
      {"2 channels of windows of 3 + 3 rows and 2 + 2 + 2 columns, and 12 divisions",
       {1, 2, 5, 4},
       {},
       [](Graph& g, const Weights&, Value x) {
         return g.adaptive_average_pool(x, {2, 3});
       },
       2 * 6 * 6 + 12,
       40,
       12},
      {"24 powers and 2 roots",
       {1, 2, 3, 4},
       {{"p", {1}}},
       [](Graph& g, const Weights& w, Value x) { return g.apply(GemPool{}, {x}, {w("p", {1})}); },
       3 * 24 + 2 * 2,
       24 + 1,
       2},
      {"no operation",
       {2, 3, 2, 1},
       {},
       [](Graph& g, const Weights&, Value x) { return g.flatten(x); },
       0,
       12,
       12},
      {"18 products",
       {1, 2, 3, 3},
       {},
       [](Graph& g, const Weights&, Value x) { return g.mul(x, g.global_average_pool(x)); },
       18,
       18 + 2,
       18},
      {"4 pixels of 3 channels",
       {1, 3, 2, 2},
       {{"scale", {3}}},
       [](Graph& g, const Weights& w, Value x) { return g.l2_normalize(x, w("scale", {3}), {}); },
       4 * 12 + 4,
       12 + 3,
       12},
      {"heads are only moved",
       {1, 8, 2, 3},
       {},
       [](Graph& g, const Weights&, Value x) {
         return g.concat_maps("heads", {x, x}, 4);
       },
       0,
       96,
       96},
      {"6 boxes of 18 operations",
       {2, 3, 4},
       {},
       [](Graph& g, const Weights&, Value x) {
         return g.decode_boxes(x, Tensor::zeros(DType::F32, {3, 4}), {});
       },
       6 * 18,
       24 + 12,
       24},
      {"a softmax of 30 logits",
       {2, 5, 3},
       {},
       [](Graph& g, const Weights&, Value x) { return g.class_scores(x, {}); },
       5 * 30,
       30,
       20},
      {"20 sigmoids",
       {2, 5, 3},
       {},
       [](Graph& g, const Weights&, Value x) { return g.class_scores(x, {kernels::ScoreFunction::Sigmoid}); },
       3 * 20,
       30,
       20},
      {"15 scores of 5 boxes compared, 3 rows of 6 and their number written",
       {1, 5, 4},
       {},
       [](Graph& g, const Weights&, Value x) {
         return g.nms("detections", x, g.class_scores(x, {}), {.max_detections = 3});
       },
       15,
       20 + 15,
       18 + 1},
      {"a mirror image",
       {1, 3, 2, 2},
       {},
       [](Graph& g, const Weights&, Value x) { return g.flip_horizontal(g.input("image", g.shape(x))); },
       0,
       12,
       12},
      {"36 pixels of five sums of four products",
       {1, 1, 4, 4},
       {},
       [](Graph& g, const Weights&, Value x) { return g.rescale_bicubic(g.input("image", g.shape(x)), 1.5); },
       36 * 40,
       16,
       36},
      {"8 sums of two terms, and rows divided by their lengths",
       {2, 4},
       {},
       [](Graph& g, const Weights&, Value x) {
         return g.normalized_sum("features", {x, x});
       },
       8 + 3 * 8 + 2,
       16,
       8},
      {"12 averages of four",
       {1, 2, 3, 4},
       {},
       [](Graph& g, const Weights&, Value x) { return g.average_pool(x, {.kernel = 2, .stride = 1}); },
       12 * 5,
       24,
       12},
      {"12 blends, three of two values each",
       {1, 2, 1, 2},
       {},
       [](Graph& g, const Weights&, Value x) {
         return g.apply(Upsample{2, 3, kernels::Upsampling::Bilinear}, {x});
       },
       12 * 9,
       4,
       12},
      {"copies of a nearest pixel",
       {1, 2, 1, 2},
       {},
       [](Graph& g, const Weights&, Value x) {
         return g.apply(Upsample{2, 3}, {x});
       },
       0,
       4,
       12},
      {"a value a channel, added to each pixel",
       {1, 2, 3, 4},
       {},
       [](Graph& g, const Weights&, Value x) { return g.sub(x, g.global_average_pool(x)); },
       24,
       24 + 2,
       24},
      {"rows joined",
       {3, 4},
       {},
       [](Graph& g, const Weights&, Value x) {
         return g.concat({x, x}, 0);
       },
       0,
       24,
       24},
  };
  for (const Worked& c : cases) {
    const Cost cost = cost_of(c, DType::F32);
    EXPECT_EQ(cost.flop, c.flop) << c.what;
    EXPECT_EQ(cost.bytes_read, 4 * c.read) << c.what;
    EXPECT_EQ(cost.bytes_written, 4 * c.written) << c.what;
  }
}

TEST(Cost, InHalfTheBytesHeadsStayF32) {
  const Weights w = weights({{"c.weight", {4, 3, 1, 1}}});
  Graph g;
  const Value x = g.image_input("input", {1, 3, 2, 2});
  const Value y = g.conv2d(x, w.scope("c"), {});
  const Value heads = g.concat_maps("heads", {y}, 4);
  const Cost convolution = cost_of(g, g.node(y), DType::BF16);
  EXPECT_EQ(convolution.bytes_read, 12 * 2 + 12 * 2);
  EXPECT_EQ(convolution.bytes_written, 16 * 2);
  const Cost concat = cost_of(g, g.node(heads), DType::BF16);
  EXPECT_EQ(concat.bytes_read, 16 * 2);
  EXPECT_EQ(concat.bytes_written, 16 * 4);
}

}  // namespace
}  // namespace tyto
