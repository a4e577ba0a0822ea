// A model file's network as a graph.
#pragma once

#include <map>
#include <string>

#include "engine/graph/graph.h"
#include "tyto/model.h"

namespace tyto {

// inputs: by name. set: the network's options in place of the model file's. A network that cannot be
// built is the model file's fault, options and all, so the sentence names the file; Error{Usage} where `set`
// may be to blame.
Graph build_graph(const Model& model, const InputShapes& inputs,
                  const std::map<std::string, std::string>& set = {});

}  // namespace tyto
