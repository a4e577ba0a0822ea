#include "engine/model/build_graph.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/model/model_file.h"

namespace tyto {
namespace {

// The same inputs, whatever the size of their images.
bool agree(const InputInfo& file, const InputInfo& network) {
  return file.name == network.name && file.type == network.type && file.is_images() == network.is_images() &&
         file.views == network.views && file.counted == network.counted &&
         file.sizes_of == network.sizes_of && file.steady == network.steady &&
         (file.is_images() || file.sample == network.sample);
}

void check_inputs(const ModelInfo& info, const std::vector<InputInfo>& wanted) {
  for (const InputInfo& input : wanted)
    if (std::ranges::none_of(info.inputs, [&](const InputInfo& i) { return agree(i, input); }))
      throw Error(ErrorKind::Format,
                  fmt::format("its inputs are not those of a {}: '{}' is missing or another", info.network,
                              input.name));
  if (info.inputs.size() != wanted.size())
    throw Error(ErrorKind::Format, fmt::format("it has {} inputs, but a {} takes {}", info.inputs.size(),
                                               info.network, wanted.size()));
}

// What the file says of outputs holds; the network may have others besides.
void check_outputs(const ModelInfo& info, const Graph& graph, const NamedValues& outputs) {
  for (const OutputInfo& wanted : info.outputs) {
    const auto it = std::ranges::find(outputs, wanted.name, &NamedValues::value_type::first);
    if (it == outputs.end() || describe_output(graph, *it) != wanted)
      throw Error(ErrorKind::Format,
                  fmt::format("its outputs are not those of a {}: '{}' is missing or another", info.network,
                              wanted.name));
  }
}

void check_state(const ModelInfo& info, const Network& network, const Graph& graph,
                 const NamedValues& outputs, const Inputs& inputs) {
  if (info.state != network.state)
    throw Error(ErrorKind::Format, fmt::format("its state is not that of a {}", info.network));
  for (const auto& [input, output] : info.state) {
    const auto it = std::ranges::find(outputs, output, &NamedValues::value_type::first);
    const Shape &in = graph.shape(inputs.at(input)), &out = graph.shape(it->second);
    if (in != out)
      throw Error(ErrorKind::Format,
                  fmt::format("its input '{}' is {}, but the output '{}' that it is next is {}", input,
                              in.str(), output, out.str()));
  }
}

// Runs `build` with the file's network, weights and options.
template <class Build>
auto of_file(const Model& model, const std::map<std::string, std::string>& set, const Build& build) {
  try {
    const ModelInfo& info = model.info();
    const Network& network = find_network(info.network);
    std::map<std::string, std::string> given = set;
    given.insert(info.options.begin(), info.options.end());
    const Options options(network, given);
    const Weights weights(tensors_of(model));
    check_inputs(info, network.inputs(weights, Options(network, info.options)));
    return build(network, weights, options);
  } catch (const Error& e) {
    const std::string origin = model.path().string(), what = e.what();
    throw Error(e.kind() == ErrorKind::Usage && set.empty() ? ErrorKind::Format : e.kind(),
                what.starts_with(origin) ? what : fmt::format("{}: {}", origin, what));
  }
}

}  // namespace

std::vector<InputInfo> inputs_of(const Model& model, const std::map<std::string, std::string>& set) {
  if (set.empty()) return model.info().inputs;
  return of_file(model, set, [&](const Network& network, const Weights& weights, const Options& options) {
    std::vector<InputInfo> inputs = network.inputs(weights, options);
    for (InputInfo& input : inputs)  // whose rule is the file's
      if (input.is_images()) {
        const auto it = std::ranges::find(model.info().inputs, input.name, &InputInfo::name);
        input.preprocessing = it->preprocessing;
        input.sample = it->sample;
      }
    return inputs;
  });
}

NetworkOutputs append_network(Graph& graph, const Model& model, const Inputs& inputs,
                              const std::map<std::string, std::string>& set) {
  return of_file(model, set, [&](const Network& network, const Weights& weights, const Options& options) {
    NetworkOutputs built = network.build(graph, weights, options, inputs);
    if (model.info().task && *model.info().task != built.task)
      throw Error(ErrorKind::Format,
                  fmt::format("its task is '{}', but that of this {} is '{}'", name_of(*model.info().task),
                              network.name, name_of(built.task)));
    if (set.empty() && model.info().grid != built.grid)
      throw Error(ErrorKind::Format, fmt::format("its grid is not that of this {}", network.name));
    check_outputs(model.info(), graph, built.values);
    check_state(model.info(), network, graph, built.values, inputs);
    return built;
  });
}

Graph build_graph(const Model& model, const InputShapes& inputs,
                  const std::map<std::string, std::string>& set) {
  Graph graph;
  const NetworkOutputs built =
      append_network(graph, model, declare_inputs(graph, inputs_of(model, set), inputs), set);
  for (const auto& [name, value] : built.values) graph.output(name, value);
  return graph;
}

}  // namespace tyto
