// One operator to be computed: its node and the values of its inputs.
#pragma once

#include <utility>
#include <vector>

#include "engine/graph/graph.h"
#include "engine/reference/array.h"

namespace tyto {

// What an operator computes: mostly one array.
struct Results : std::vector<Array> {
  using std::vector<Array>::vector;
  Results(Array only) { push_back(std::move(only)); }  // NOLINT: a loop ends in `return y`
};

struct Call {
  const Node& node;
  std::vector<const Array*> in;
  bool is_map = false;  // the first input

  const Array& x() const { return *in[0]; }
  Array result(size_t i = 0) const { return zeros(node.results[i].shape); }
  Array weight(size_t i) const { return array_of(node.weights[i].load()); }
  // Of the first input, counted from 0.
  size_t axis(int axis) const { return axis_index(axis, x().shape.rank()); }
  // Whether input i is a value a channel of a map, which is the first.
  bool channels_of_map(size_t i) const { return x().shape.rank() == 4 && in[i]->shape.rank() == 1 && is_map; }
  // Those of a weight that the node need not have: none.
  std::vector<double> values(size_t i) const {
    return i < node.weights.size() ? weight(i).values : std::vector<double>();
  }
};

double activated(double v, Activation activation);

}  // namespace tyto
