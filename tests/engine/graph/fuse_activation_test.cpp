#include <gtest/gtest.h>

#include "engine/graph/passes.h"
#include "support/compare.h"
#include "support/random_weights.h"

namespace tyto {
namespace {

const Shape kInput = {2, 4, 3, 5};

Graph fused(const Graph& g) {
  const Graph after = fuse_activation(g);
  expect_same_meaning(g, after, noise(kInput, 1, -9, 9), 0, 0);
  return after;
}

Activation of_output(const Graph& g) {
  Operator op = g.node(g.outputs()[0].second).op;
  return *fused_activation(op);
}

TEST(FuseActivation, EveryLayerThatCanTakesItsActivationOver) {
  for (Activation activation : {Activation::Relu, Activation::Relu6}) {
    using Build = Value (*)(Graph&, const Weights&, Value);
    const Build layers[] = {
        [](Graph& g, const Weights& w, Value x) { return g.conv2d(x, w.scope("conv"), {}); },
        [](Graph& g, const Weights& w, Value x) { return g.linear(g.flatten(x), w.scope("fc")); },
        [](Graph& g, const Weights& w, Value x) { return g.batch_norm(x, w.scope("bn")); },
        [](Graph& g, const Weights& w, Value x) { return g.instance_norm(x, w.scope("bn")); },
        [](Graph& g, const Weights&, Value x) { return g.add(x, x); },
    };
    for (const Build& layer : layers) {
      Graph g;
      const Weights w =
          weights(Layout{{"conv.weight", {4, 4, 1, 1}}, {"fc.weight", {9, 60}}} + batch_norm_at("bn", 4));
      g.output("y", g.activate(layer(g, w, g.image_input("input", kInput)), activation));
      const Graph after = fused(g);
      EXPECT_EQ(count<Activate>(after), 0);
      EXPECT_EQ(of_output(after), activation);
    }
  }
}

TEST(FuseActivation, StopsWhereNothingCanTakeIt) {
  Graph g;
  const Value x = g.image_input("input", kInput);
  g.output("input", g.relu(x));
  g.output("pooled", g.relu(g.max_pool(x, {})));
  g.output("flat", g.relu(g.flatten(x)));
  EXPECT_EQ(count<Activate>(fused(g)), 3);
}

TEST(FuseActivation, StopsAtALayerThatAnotherNodeReads) {
  Graph g;
  const Value sum = g.add(g.image_input("input", kInput), Value{1});
  g.output("y", g.add(g.relu(sum), sum));
  EXPECT_EQ(count<Activate>(fused(g)), 1);
}

TEST(FuseActivation, StopsAtALayerThatIsAnOutput) {
  Graph g;
  const Value sum = g.add(g.image_input("input", kInput), Value{1});
  g.output("sum", sum);
  g.output("y", g.relu(sum));
  EXPECT_EQ(count<Activate>(fused(g)), 1);
}

TEST(FuseActivation, KeepsTheSecondOfTwoActivations) {
  Graph g;
  const Value sum = g.add(g.image_input("input", kInput), Value{1});
  g.output("y", g.activate(g.relu(sum), Activation::Relu6));
  const Graph after = fused(g);
  EXPECT_EQ(std::get<Activate>(only<Activate>(after).op).activation, Activation::Relu6);
  EXPECT_EQ(std::get<Add>(only<Add>(after).op).activation, Activation::Relu);
}

TEST(FuseActivation, LeavesANormWhatIsNoClamp) {
  Graph g;
  const Weights w = weights(batch_norm_at("bn", 4));
  const Value x = g.batch_norm(g.image_input("input", kInput), w.scope("bn"));
  g.output("swish", g.activate(x, Activation::HardSwish));
  g.output("y", g.relu(g.batch_norm(x, w.scope("bn"))));
  const Graph after = fused(g);
  EXPECT_EQ(std::get<Activate>(only<Activate>(after).op).activation, Activation::HardSwish);
  expect_same_meaning(g, after, noise(kInput, 1), 2, 3);
}

TEST(Optimise, LeavesConvolutionsAloneOfAResidualBlock) {
  Graph g;
  const Weights w = weights(Layout{{"conv1.weight", {4, 4, 3, 3}}, {"conv2.weight", {4, 4, 3, 3}}} +
                            batch_norm_at("bn1", 4) + batch_norm_at("bn2", 4));
  const Value x = g.image_input("input", kInput);
  const Conv2d op{.kernel = 3, .padding = 1};
  const Value y = g.relu(g.batch_norm(g.conv2d(x, w.scope("conv1"), op), w.scope("bn1")));
  g.output("y", g.relu(g.add(g.batch_norm(g.conv2d(y, w.scope("conv2"), op), w.scope("bn2")), x)));
  const Graph after = optimise(g);
  EXPECT_EQ(after.nodes().size(), 4u);  // the input as given and as a map, and two convolutions
  EXPECT_EQ(count<Conv2d>(after), 2);
  expect_same_meaning(g, after, noise(kInput, 1), 36, 2);
}

}  // namespace
}  // namespace tyto
