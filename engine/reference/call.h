// One operator to be computed: its node and the values of its inputs.
#pragma once

#include <vector>

#include "engine/graph/graph.h"
#include "engine/reference/array.h"

namespace tyto {

struct Call {
  const Node& node;
  std::vector<const Array*> in;

  const Array& x() const { return *in[0]; }
  Array result() const { return zeros(node.shape); }
  Array weight(size_t i) const { return array_of(node.weights[i].load()); }
  // Those of a weight that the node need not have: none.
  std::vector<double> values(size_t i) const {
    return i < node.weights.size() ? weight(i).values : std::vector<double>();
  }
};

double activated(double v, Activation activation);

}  // namespace tyto
