// A network of one image, and its sizes where it takes them, as a graph.
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
  InputShapes shapes = {{"input", input}};
  const std::vector<InputInfo> inputs = network.inputs(weights, options);
  for (const InputInfo& info : inputs)
    if (!info.sizes_of.empty()) shapes.emplace(info.name, Shape{input[0], info.sample[0]});
  build_whole(graph, network, weights, options, inputs, shapes);
  return graph;
}

}  // namespace tyto
