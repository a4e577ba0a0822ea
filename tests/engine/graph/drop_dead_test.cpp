#include <gtest/gtest.h>

#include "engine/graph/passes.h"
#include "support/compare.h"
#include "support/errors.h"
#include "support/random_weights.h"

namespace tyto {
namespace {

// input -> a -> {b -> "b", c -> "c"}, and a layer that nobody reads.
Graph branches() {
  Graph g;
  const Weights w = weights({{"a.weight", {4, 3, 1, 1}},
                             {"b.weight", {5, 4, 1, 1}},
                             {"c.weight", {6, 4, 1, 1}},
                             {"dead.weight", {7, 4, 1, 1}}});
  const Value a = g.conv2d(g.image_input("input", {1, 3, 2, 2}), w.scope("a"), {});
  g.conv2d(a, w.scope("dead"), {});
  g.output("b", g.conv2d(a, w.scope("b"), {}));
  g.output("c", g.conv2d(a, w.scope("c"), {}));
  return g;
}

TEST(DropDead, RemovesWhatNoOutputNeeds) {
  const Graph g = drop_dead(branches());
  EXPECT_EQ(g.nodes().size(), 5u);  // the image as given, and as a map
  EXPECT_EQ(g.outputs().size(), 2u);
  expect_same_meaning(branches(), g, noise({1, 3, 2, 2}, 1), 0, 0);
}

TEST(DropDead, KeepsWhatTheWantedOutputsNeedAlone) {
  const Graph g = drop_dead(branches(), {"c"});
  EXPECT_EQ(g.nodes().size(), 4u);
  ASSERT_EQ(g.outputs().size(), 1u);
  const Tensor input = noise({1, 3, 2, 2}, 1);
  EXPECT_TRUE(same_bits(run_reference(g, input).at("c"), run_reference(branches(), input).at("c")));
}

TEST(DropDead, KeepsTheInputThatNothingReads) {
  Graph g;
  g.output("input", g.input("input", {1, 3}));
  EXPECT_EQ(drop_dead(g).nodes().size(), 1u);
}

TEST(DropDead, NamesAnOutputThatIsNotThere) {
  expect_error([] { drop_dead(branches(), {"b", "logits"}); }, ErrorKind::Usage, {"'logits'", "b, c"});
}

}  // namespace
}  // namespace tyto
