// Every operator once, small: what selftest compiles and compares.
#pragma once

#include <map>
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
  // The input goes to `build` as F32 rows, not as what layers read: activations, [N, C, H, W] as a map.
  bool as_given = false;
};

// The case's graph, its results as "output".
Graph graph_of(const OperatorCase& c, const Weights& w);

// For each input of the graph values between -1 and 1; of I32 0 or 1, counts within what they count.
std::map<std::string, Tensor> noise_for(const Graph& graph);

std::vector<OperatorCase> operator_cases();   // all
std::vector<OperatorCase> detection_cases();  // of them, those of detectors' heads
std::vector<OperatorCase> bev_cases();        // and those of maps seen from above

}  // namespace tyto
