// A network of one image as a graph.
#pragma once

#include <map>
#include <string>

#include "engine/networks/network.h"

namespace tyto {

inline Graph network_graph(const std::string& name, const Weights& weights, const Shape& input,
                           const std::map<std::string, std::string>& given = {}) {
  const Network& network = find_network(name);
  const Options options(network, given);
  Graph graph;
  build_whole(graph, network, weights, options, network.inputs(weights, options), {{"input", input}});
  return graph;
}

}  // namespace tyto
