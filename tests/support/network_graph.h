// A network as a graph, of so many samples of images of one size.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/networks/network.h"

namespace tyto {

inline Graph network_graph(const std::string& name, const Weights& weights, const Shape& input,
                           const std::map<std::string, std::string>& given = {}) {
  const Network& network = find_network(name);
  const Options options(network, given);
  Graph graph;
  const std::vector<InputInfo> inputs = network.inputs(weights, options);
  InputShapes shapes = input_shapes(inputs, input[0]);
  for (const InputInfo& info : inputs)
    if (info.is_images()) shapes[info.name] = {input[0] * info.views, input[1], input[2], input[3]};
  build_whole(graph, network, weights, options, inputs, shapes);
  return graph;
}

}  // namespace tyto
