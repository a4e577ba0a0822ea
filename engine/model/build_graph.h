// A model file's network as a graph.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/graph/graph.h"
#include "engine/networks/network.h"
#include "tyto/model.h"

namespace tyto {

// A network that cannot be built, or is not what the model file says of it, is the file's fault, options and
// all, so the sentence names the file. set: the network's options in place of the file's; Error{Usage} where
// they may be to blame.

// What the network takes with these options: an option may decide how many images a sample has.
std::vector<InputInfo> inputs_of(const Model& model, const std::map<std::string, std::string>& set);

// The network and no more: inputs declared, outputs named. inputs: as of Model::input_shapes(); Error{Usage}
// and Error{Shape} as of check_input_shapes().
Graph build_graph(const Model& model, const InputShapes& inputs,
                  const std::map<std::string, std::string>& set = {});

// The network's layers appended to a graph, on values that stand for its inputs.
NetworkOutputs append_network(Graph& graph, const Model& model, const Inputs& inputs,
                              const std::map<std::string, std::string>& set = {});

}  // namespace tyto
