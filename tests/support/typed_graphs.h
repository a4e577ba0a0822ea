// Small graphs whose values are of many types, and what each plan of them must compute.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "engine/graph/passes.h"
#include "engine/reference/reference.h"
#include "engine/runtime/plan_graph.h"
#include "engine/self_test/cases.h"
#include "support/compare.h"
#include "support/random_weights.h"

namespace tyto {

struct TypedGraph {
  std::string name;
  Graph graph;
  double terms = 1, layers = 1;
};

// Two inputs of different sizes, the larger first.
inline TypedGraph two_inputs() {
  TypedGraph typed{"two inputs", {}, 63, 2};
  Graph& g = typed.graph;
  const Value large = g.image_input("large", {2, 3, 9, 7}), small = g.input("small", {2, 4});
  g.output("map", g.relu(large));
  g.output("rows", g.add(small, small));
  return typed;
}

// What each layer of a transformer begins and ends with, of rows [2, 5, 6].
inline TypedGraph rank_three() {
  const Weights w = weights({{"fc.weight", {6, 6}}, {"fc.bias", {6}}});
  TypedGraph typed{"rows of rank three", {}, 6, 3};
  Graph& g = typed.graph;
  const Value x = g.rows_input("x", {2, 5, 6});
  g.output("sum", g.add(x, g.linear(x, w.scope("fc"))));
  g.output("activated", g.relu(x));
  return typed;
}

// F32 through layers of a plan whose activations are narrower.
inline TypedGraph exact_rows() {
  const Weights w = weights(Layout{{"fc.weight", {6, 6}}, {"fc.bias", {6}}} + batch_norm_at("bn", 6) +
                            Layout{{"shift", {6}}});
  TypedGraph typed{"exact rows", {}, 6, 3};
  Graph& g = typed.graph;
  const Value x = g.input("x", {5, 6});
  g.output("sum", g.add(x, x));
  g.output("norm", g.batch_norm(x, w.scope("bn")));
  g.output("linear", g.relu(g.linear(x, w.scope("fc"))));
  const Value shift = g.constant(w("shift", {6}), Elements::F32);
  g.output("shifted", g.add(x, shift));
  g.output("shift", shift);
  g.output("shift, rounded", g.cast(shift, Elements::Activation));
  g.output("rounded", g.cast(g.cast(x, Elements::Activation), Elements::F32));
  return typed;
}

// Calibration of 1266.417 pixels of focal length, and a table of indices beyond 2^24 with a count.
inline TypedGraph calibration() {
  TypedGraph typed{"calibration", {}, 1, 1};
  Graph& g = typed.graph;
  g.output("matrix", g.input("intrinsics", {2, 2, 3, 3}));
  g.output("table", g.input("table", {2, 5, 3}, Elements::I32, /*counted=*/true));
  return typed;
}

// Indices beyond 2^24 that change places.
inline TypedGraph moved_indices() {
  TypedGraph typed{"moved indices", {}, 1, 1};
  Graph& g = typed.graph;
  const Value x = g.input("indices", {2, 3, 4}, Elements::I32);
  g.output("permuted", g.permute(x, {2, 0, 1}));
  g.output("joined", g.concat({x, g.slice(x, 0, 1, 1)}, 0));
  g.output("joined columns", g.concat({g.slice(x, 2, 1, 2), x}, -1));
  g.output("repeated", g.expand(g.reshape(x, {2, 1, 12, 1}), {2, 2, 12, 3}));
  return typed;
}

inline std::vector<TypedGraph> typed_graphs() {
  return {two_inputs(), rank_three(), exact_rows(), calibration(), moved_indices()};
}

inline std::map<std::string, Tensor> typed_inputs(const Graph& graph) {
  auto inputs = noise_for(graph);
  if (inputs.contains("intrinsics")) inputs.at("intrinsics").as<float>()[0] = 1266.417f;
  if (inputs.contains("table")) inputs.at("table").as<int32_t>()[1] = (1 << 24) + 1;
  if (inputs.contains("indices"))
    for (int32_t i = 0; int32_t & v : inputs.at("indices").as<int32_t>()) v = (1 << 24) + 1 + i++;
  return inputs;
}

// Every output is the reference's: what is F32 or I32 by an fp32 plan's rounding whatever the precision, and
// bit by bit where nothing is computed.
inline void expect_typed_equals_reference(const TypedGraph& typed, Context& context, Precision precision) {
  SCOPED_TRACE(typed.name + " in " + name_of(precision));
  const Graph graph = optimise(typed.graph);
  Plan plan = plan_graph(graph, context, precision);
  const auto inputs = typed_inputs(graph);
  const auto& got = plan.run(inputs);
  const auto want = run_reference(typed.graph, inputs);
  ASSERT_EQ(got.size(), want.size());
  for (const auto& [name, value] : graph.outputs()) {
    const Result& result = graph.result(value);
    const bool exact =
        std::holds_alternative<Input>(graph.node(value).op) || result.elements == Elements::I32;
    EXPECT_EQ(got.at(name).shape(), result.shape) << name;
    if (exact) {
      EXPECT_TRUE(same_bits(got.at(name), want.at(name))) << name;
      continue;
    }
    const bool rounded = result.elements == Elements::Activation || name == "rounded";
    const Precision judged = rounded ? precision : Precision::Fp32;
    EXPECT_LE(relative_error(got.at(name), want.at(name)), sum_tolerance(judged, typed.terms, typed.layers))
        << name;
  }
}

}  // namespace tyto
