#include "engine/model/build_graph.h"

#include <fmt/format.h>

#include "engine/model/model_file.h"
#include "engine/networks/network.h"

namespace tyto {

Graph build_graph(const Model& model, const InputShapes& inputs,
                  const std::map<std::string, std::string>& set) {
  const auto given = inputs.find("input");
  if (given == inputs.end() || inputs.size() != 1)
    throw Error(ErrorKind::Shape, fmt::format("{} takes one input, 'input'", model.info().network));
  const Shape& input = given->second;
  if (input.rank() != 4 || input[1] != 3 || input[0] < 1 || input[2] < 1 || input[3] < 1)
    throw Error(ErrorKind::Shape,
                fmt::format("{} takes an input of [N, 3, H, W], not {}", model.info().network, input.str()));
  Graph graph;
  try {
    const Network& network = find_network(model.info().network);
    std::map<std::string, std::string> options = set;
    options.insert(model.info().options.begin(), model.info().options.end());
    network.build(graph, Weights(tensors_of(model)), Options(network, options), input);
  } catch (const Error& e) {
    const std::string origin = model.path().string(), what = e.what();
    throw Error(e.kind() == ErrorKind::Usage && set.empty() ? ErrorKind::Format : e.kind(),
                what.starts_with(origin) ? what : fmt::format("{}: {}", origin, what));
  }
  return graph;
}

}  // namespace tyto
