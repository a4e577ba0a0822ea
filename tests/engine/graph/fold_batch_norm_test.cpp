#include <gtest/gtest.h>

#include "engine/graph/passes.h"
#include "support/compare.h"
#include "support/errors.h"
#include "support/random_weights.h"

namespace tyto {
namespace {

const Shape kInput = {2, 6, 5, 4};
constexpr double kTerms = 6 * 3 * 3;

Layout conv_and_norm(bool bias, int64_t normalised = 8) {
  Layout layout = Layout{{"conv.weight", {8, 6, 3, 3}}} + batch_norm_at("bn", normalised);
  return bias ? layout + Layout{{"conv.bias", {8}}} : layout;
}

Value conv(Graph& g, const Weights& w) {
  return g.conv2d(g.image_input("input", kInput), w.scope("conv"), {.kernel = 3, .padding = 1});
}

TEST(FoldBatchNorm, TakesTheNormOfAConvolutionIntoItsWeights) {
  for (bool bias : {false, true}) {
    Graph g;
    const Weights w = weights(conv_and_norm(bias));
    g.output("y", g.batch_norm(conv(g, w), w.scope("bn")));
    const Graph folded = fold_batch_norm(g);
    EXPECT_EQ(count<BatchNorm>(folded), 0);
    EXPECT_EQ(only<Conv2d>(folded).weights.size(), 2u);
    expect_same_meaning(g, folded, noise(kInput, 1), kTerms, 1);
  }
}

TEST(FoldBatchNorm, LeavesTheChannelsBeforeTheFirstAsTheyAre) {
  for (bool bias : {false, true}) {
    Graph g;
    const Weights w = weights(conv_and_norm(bias, 5));
    g.output("y", g.batch_norm(conv(g, w), w.scope("bn"), {.first_channel = 3}));
    const Graph folded = fold_batch_norm(g);
    EXPECT_EQ(count<BatchNorm>(folded), 0);
    expect_same_meaning(g, folded, noise(kInput, 1), kTerms, 1);
  }
}

TEST(FoldBatchNorm, FoldsIntoADepthwiseConvolution) {
  Graph g;
  const Weights w = weights(Layout{{"conv.weight", {6, 1, 3, 3}}} + batch_norm_at("bn", 6));
  const Value y = g.conv2d(g.image_input("input", kInput), w.scope("conv"), {.kernel = 3, .groups = 6});
  g.output("y", g.batch_norm(y, w.scope("bn")));
  const Graph folded = fold_batch_norm(g);
  EXPECT_EQ(count<BatchNorm>(folded), 0);
  expect_same_meaning(g, folded, noise(kInput, 1), 9, 1);
}

TEST(FoldBatchNorm, FoldsIntoALinearLayer) {
  Graph g;
  const Weights w = weights(Layout{{"fc.weight", {7, 12}}, {"fc.bias", {7}}} + batch_norm_at("bn", 7));
  g.output("y", g.batch_norm(g.linear(g.rows_input("input", {3, 12}), w.scope("fc")), w.scope("bn")));
  const Graph folded = fold_batch_norm(g);
  EXPECT_EQ(count<BatchNorm>(folded), 0);
  expect_same_meaning(g, folded, noise({3, 12}, 1), 12, 1);
}

TEST(FoldBatchNorm, TakesOverTheNormsActivation) {
  Graph g;
  const Weights w = weights(conv_and_norm(true));
  g.output("y", g.batch_norm(conv(g, w), w.scope("bn"), {.activation = Activation::Relu}));
  const Graph folded = fold_batch_norm(g);
  EXPECT_EQ(std::get<Conv2d>(only<Conv2d>(folded).op).activation, Activation::Relu);
  expect_same_meaning(g, folded, noise(kInput, 1), kTerms, 1);
}

// The norm must stay a node of its own, and the values exactly what they were.
void expect_untouched(const Graph& g) {
  const Graph folded = fold_batch_norm(g);
  EXPECT_EQ(count<BatchNorm>(folded), count<BatchNorm>(g));
  expect_same_meaning(g, folded, noise(kInput, 1), 0, 0);
}

TEST(FoldBatchNorm, StopsAtAConvolutionThatAnotherNodeReads) {
  Graph g;
  const Weights w = weights(conv_and_norm(true));
  const Value y = conv(g, w);
  g.output("y", g.add(g.batch_norm(y, w.scope("bn")), y));
  expect_untouched(g);
}

TEST(FoldBatchNorm, StopsAtAConvolutionThatIsAnOutput) {
  Graph g;
  const Weights w = weights(conv_and_norm(true));
  const Value y = conv(g, w);
  g.output("conv", y);
  g.output("y", g.batch_norm(y, w.scope("bn")));
  expect_untouched(g);
}

TEST(FoldBatchNorm, StopsAtAnActivation) {
  Graph g;
  const Weights w = weights(conv_and_norm(true));
  g.output("y", g.batch_norm(g.relu(conv(g, w)), w.scope("bn")));
  expect_untouched(g);
  const Graph fused = fuse_activation(g);  // the activation inside the convolution blocks just as well
  EXPECT_EQ(std::get<Conv2d>(only<Conv2d>(fused).op).activation, Activation::Relu);
  expect_untouched(fused);
}

TEST(FoldBatchNorm, StopsAtAResidual) {
  Graph g;
  const Weights w = weights(conv_and_norm(true) + Layout{{"other.weight", {8, 6, 1, 1}}});
  const Value x = g.image_input("input", kInput);
  const Value other = g.conv2d(x, w.scope("other"), {});
  const Value y = g.add(g.conv2d(x, w.scope("conv"), {.kernel = 3, .padding = 1}), other);
  g.output("y", g.batch_norm(y, w.scope("bn")));
  const Graph fused = fuse_residual(g);
  ASSERT_EQ(count<Add>(fused), 0);
  expect_untouched(fused);
}

TEST(FoldBatchNorm, FoldsTheFirstOfTwoNorms) {
  Graph g;
  const Weights w = weights(conv_and_norm(true) + batch_norm_at("second", 8));
  g.output("y", g.batch_norm(g.batch_norm(conv(g, w), w.scope("bn")), w.scope("second")));
  const Graph folded = fold_batch_norm(g);
  EXPECT_EQ(only<BatchNorm>(folded).name, "second");
  expect_same_meaning(g, folded, noise(kInput, 1), kTerms, 2);
}

// Two plans of one context share weights by their keys.
TEST(FoldBatchNorm, AnotherFoldOfTheSameTensorsIsAnotherWeight) {
  const Weights w = weights(conv_and_norm(true));
  const auto keys = [&](float epsilon) {
    Graph g;
    g.output("y", g.batch_norm(conv(g, w), w.scope("bn"), {.epsilon = epsilon}));
    const Graph folded_graph = fold_batch_norm(g);
    const Node& folded = only<Conv2d>(folded_graph);
    return std::pair(folded.weights[0].key(), folded.weights[1].key());
  };
  EXPECT_EQ(keys(1e-5f), keys(1e-5f));
  EXPECT_NE(keys(1e-5f).first, keys(1e-3f).first);
  EXPECT_NE(keys(1e-5f).second, keys(1e-3f).second);
}

TEST(FoldBatchNorm, NamesANormWhoseVarianceIsNegative) {
  Graph g;
  std::vector<std::pair<std::string, Tensor>> tensors = {{"conv.weight", noise({2, 6, 1, 1}, 1)}};
  const float variance[] = {1, -1};
  for (const char* name : {"weight", "bias", "running_mean"})
    tensors.emplace_back(std::string("layer1.bn.") + name, noise({2}, 2));
  tensors.emplace_back("layer1.bn.running_var", Tensor::of<float>({2}, variance));
  const Weights w(std::make_shared<MemorySource>(std::move(tensors)));
  g.output("y",
           g.batch_norm(g.conv2d(g.image_input("input", kInput), w.scope("conv"), {}), w.scope("layer1.bn")));
  const Graph folded = fold_batch_norm(g);
  for (const Weight& weight : only<Conv2d>(folded).weights)
    expect_error([&] { (void)weight.load(); }, ErrorKind::Format, {"'layer1.bn'", "running_var"});
}

}  // namespace
}  // namespace tyto
