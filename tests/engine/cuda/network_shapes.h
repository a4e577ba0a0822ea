// The networks at their full size or narrower, by the shapes of their tensors (network_shapes.py), and the
// convolutions in them.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "engine/cuda/convolution_spec.h"
#include "engine/graph/passes.h"
#include "support/network_graph.h"
#include "support/shapes_only.h"

namespace tyto::cuda {

struct FullSizeNetwork {
  std::string name;
  int64_t height = 0, width = 0;
  std::map<std::string, std::string> options;
  std::shared_ptr<ShapesOnly> shapes = std::make_shared<ShapesOnly>();

  Graph graph(int64_t batch) const { return graph(batch, shapes); }
  Graph graph(int64_t batch, const std::shared_ptr<const TensorSource>& tensors) const {
    return optimise(network_graph(name, Weights(tensors), {batch, 3, height, width}, options));
  }
};

// With an eighth of its channels; what its heads predict, and its image, stay. The networks' channels are
// multiples of eight.
inline FullSizeNetwork narrow(const FullSizeNetwork& network) {
  static const std::regex predicts(R"((^(loc|conf)\.\d+|_head\.module_list\.\d+(\.1)?)\.(weight|bias)$)");
  FullSizeNetwork result = network;
  result.shapes = std::make_shared<ShapesOnly>();
  for (const std::string& name : network.shapes->names()) {
    Shape shape = network.shapes->find(name)->shape;
    const bool tokens =
        std::regex_search(name, std::regex("class_token|pos_embedding"));  // channels are last
    const size_t first = tokens ? 2 : std::regex_search(name, predicts) ? 1 : 0;
    for (size_t i = first; i < std::min<size_t>(shape.rank(), tokens ? 3 : 2); ++i)
      if (shape[i] % 8 == 0) shape[i] /= 8;
    result.shapes->add(name, shape);
  }
  return result;
}

// For GoogleTest.
inline void PrintTo(const FullSizeNetwork& network, std::ostream* out) { *out << network.name; }

inline std::vector<FullSizeNetwork> read_networks(const std::filesystem::path& path) {
  std::vector<FullSizeNetwork> networks;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string name;
    words >> name;
    if (name == "network") {
      FullSizeNetwork& network = networks.emplace_back();
      words >> network.name >> network.height >> network.width;
      for (std::string option; words >> option;)
        network.options[option.substr(0, option.find('='))] = option.substr(option.find('=') + 1);
    } else {
      std::vector<int64_t> dims;
      for (std::string word; words >> word && word != "=";) dims.push_back(std::stoll(word));
      std::vector<float> values;
      for (float value; words >> value;) values.push_back(value);
      if (values.empty())
        networks.back().shapes->add(name, Shape(dims));
      else
        networks.back().shapes->add(name, Shape(dims), values);
    }
  }
  return networks;
}

// What the CUDA backend asks cuDNN for.
inline std::set<ConvolutionSpec> convolutions(const Graph& graph, Precision precision) {
  std::set<ConvolutionSpec> specs;
  for (const Node& node : graph.nodes()) {
    if (!std::holds_alternative<Conv2d>(node.op) || is_depthwise(node)) continue;
    const int64_t channels = image_channels(graph.channels(node.inputs[0]), precision);
    specs.insert(convolution_spec(graph, node, precision, channels));
  }
  return specs;
}

}  // namespace tyto::cuda
