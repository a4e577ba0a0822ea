#include "engine/graph/prologue.h"

#include <gtest/gtest.h>

#include "support/compare.h"
#include "support/random_weights.h"

namespace tyto {
namespace {

constexpr bool kCounted = false, kSteady = true;

std::vector<std::string> names_in(const Graph& graph, const std::vector<bool>& chosen) {
  std::vector<std::string> names;
  for (size_t id = 0; id < chosen.size(); ++id)
    if (chosen[id]) names.push_back(graph.nodes()[id].name);
  return names;
}

// Steady rows meet constants, then what changes.
Graph mixed() {
  const Weights w = weights({{"factor", {4}}, {"shift", {4}}});
  Graph g;
  const Value x = g.input("x", {2, 4});
  const Value moving = g.activate(x, Activation::Tanh);
  const Value steady = g.input("steady", {2, 4}, Elements::F32, kCounted, kSteady);
  const Value shift = g.expand(g.reshape(g.constant(w("shift", {4}), Elements::F32), {1, 4}), {2, 4});
  const Value product = g.mul(steady, g.constant(w("factor", {4}), Elements::F32));
  const Value sum = g.add(product, shift);
  g.output("both", g.add(sum, moving));
  g.output("sum", sum);
  return g;
}

TEST(Prologue, IsWhatHangsOnSteadyInputsAndConstantsAlone) {
  const Graph graph = mixed();
  EXPECT_EQ(names_in(graph, prologue_of(graph)),
            (std::vector<std::string>{"reshape after shift", "expand after shift", "steady*", "steady*+"}));
}

TEST(Prologue, IsNotThereWithoutASteadyInput) {
  Graph g;
  const Weights w = weights({{"shift", {1, 4}}});
  const Value x = g.input("x", {2, 4});
  g.output("y", g.add(x, g.expand(g.constant(w("shift", {1, 4}), Elements::F32), {2, 4})));
  EXPECT_TRUE(names_in(g, prologue_of(g)).empty());
}

TEST(Prologue, StandsFirstAndNothingElseIsAnother) {
  const Graph before = mixed(), after = prologue_first(before);
  std::map<std::string, Tensor> inputs = {{"x", noise({2, 4}, 1)}, {"steady", noise({2, 4}, 2)}};
  const auto want = run_reference(before, inputs), got = run_reference(after, inputs);
  ASSERT_EQ(got.size(), 2u);
  for (const auto& [name, tensor] : want) EXPECT_TRUE(same_bits(got.at(name), tensor)) << name;
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(after.inputs()[i].first, before.inputs()[i].first);
    EXPECT_EQ(after.outputs()[i].first, before.outputs()[i].first);
  }
  const std::vector<bool> prologue = prologue_of(after);
  bool others = false;
  for (size_t id = 0; id < prologue.size(); ++id) {
    const Operator& op = after.nodes()[id].op;
    others |= !prologue[id] && !std::holds_alternative<Input>(op) && !std::holds_alternative<Constant>(op);
    EXPECT_FALSE(prologue[id] && others) << after.nodes()[id].name;
  }
}

}  // namespace
}  // namespace tyto
