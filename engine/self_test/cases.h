// Every operator once, small: what selftest compiles and compares.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "engine/graph/graph.h"

namespace tyto {

struct OperatorCase {
  std::string name;
  Shape input;
  double terms, layers;
  std::vector<std::pair<std::string, Shape>> weights;
  Value (*build)(Graph&, const Weights&, Value);
  bool selects = false;  // what is found hangs on thresholds, which the rounding of fp32 alone does not reach
};

std::vector<OperatorCase> operator_cases();

}  // namespace tyto
