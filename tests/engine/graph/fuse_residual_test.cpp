#include <gtest/gtest.h>

#include "engine/graph/passes.h"
#include "support/compare.h"
#include "support/random_weights.h"

namespace tyto {
namespace {

const Shape kInput = {1, 4, 3, 5};

// A graph under construction with two convolutions of the input's shape to choose from.
struct Residual {
  Graph g;
  Weights w = weights({{"a.weight", {4, 4, 1, 1}}, {"b.weight", {4, 4, 1, 1}}, {"b.bias", {4}}});
  Value x = g.image_input("input", kInput);
  Value a() { return g.conv2d(x, w.scope("a"), {}); }
  Value b() { return g.conv2d(x, w.scope("b"), {}); }

  // What the pass makes of it; its values must be exactly the old ones.
  Graph fused() const {
    const Graph after = fuse_residual(g);
    expect_same_meaning(g, after, noise(kInput, 1), 0, 0);
    return after;
  }
};

TEST(FuseResidual, GivesTheLaterConvolutionTheOtherSummand) {
  for (bool swapped : {false, true}) {
    Residual r;
    const Value a = r.a(), b = r.b();
    r.g.output("y", swapped ? r.g.add(b, a) : r.g.add(a, b));
    const Graph fused = r.fused();
    EXPECT_EQ(count<Add>(fused), 0);
    const Node& last = fused.node(fused.outputs()[0].second);
    EXPECT_EQ(last.name, "b");
    ASSERT_EQ(last.inputs.size(), 2u);
    EXPECT_EQ(fused.node(last.inputs[1]).name, "a");
  }
}

TEST(FuseResidual, TakesTheConvolutionsOwnInput) {
  Residual r;
  r.g.output("y", r.g.add(r.a(), r.x));
  const Graph fused = r.fused();
  EXPECT_EQ(count<Add>(fused), 0);
  EXPECT_EQ(only<Conv2d>(fused).inputs[0].node, only<Conv2d>(fused).inputs[1].node);
}

TEST(FuseResidual, TakesOverTheSumsActivation) {
  Residual r;
  r.g.output("y", r.g.relu(r.g.add(r.a(), r.x)));
  const Graph fused = fuse_residual(fuse_activation(r.g));
  EXPECT_EQ(count<Activate>(fused) + count<Add>(fused), 0);
  EXPECT_EQ(std::get<Conv2d>(only<Conv2d>(fused).op).activation, Activation::Relu);
  expect_same_meaning(r.g, fused, noise(kInput, 1), 0, 0);
}

TEST(FuseResidual, StopsWhereTheLaterSummandIsNoConvolution) {
  Residual r;
  const Value a = r.a();
  r.g.output("y", r.g.add(a, r.g.relu(r.x)));
  EXPECT_EQ(count<Add>(r.fused()), 1);
}

TEST(FuseResidual, StopsAtAnActivatedConvolution) {
  Residual r;
  r.g.output("y", r.g.add(r.x, r.g.relu(r.a())));
  EXPECT_EQ(count<Add>(r.fused()), 1);
  EXPECT_EQ(count<Add>(fuse_residual(fuse_activation(r.g))), 1);
}

TEST(FuseResidual, StopsAtAConvolutionThatAnotherNodeReads) {
  Residual r;
  const Value a = r.a();
  r.g.output("y", r.g.add(r.x, a));
  r.g.output("z", r.g.relu(a));
  EXPECT_EQ(count<Add>(r.fused()), 1);
}

TEST(FuseResidual, StopsAtAConvolutionThatIsAnOutput) {
  Residual r;
  const Value a = r.a();
  r.g.output("a", a);
  r.g.output("y", r.g.add(r.x, a));
  EXPECT_EQ(count<Add>(r.fused()), 1);
}

TEST(FuseResidual, StopsAtASumWithItself) {
  Residual r;
  const Value a = r.a();
  r.g.output("y", r.g.add(a, a));
  EXPECT_EQ(count<Add>(r.fused()), 1);
}

TEST(FuseResidual, GivesAConvolutionOneResidualOnly) {
  Residual r;
  r.g.output("y", r.g.add(r.g.add(r.a(), r.x), r.x));
  const Graph once = r.fused();
  EXPECT_EQ(count<Add>(once), 1);
  EXPECT_EQ(count<Add>(fuse_residual(once)), 1);
}

}  // namespace
}  // namespace tyto
