// The networks at their full size, by the shapes of their tensors (network_shapes.py), and the convolutions in them.
#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "engine/cuda/convolution.h"
#include "engine/graph/passes.h"
#include "engine/networks/network.h"
#include "engine/shapes_only.h"

namespace tyto::cuda {

struct FullSizeNetwork {
  std::string name;
  int64_t height = 0, width = 0;
  std::map<std::string, std::string> options;
  std::shared_ptr<ShapesOnly> shapes = std::make_shared<ShapesOnly>();

  Graph graph(int64_t batch) const {
    const Network& network = find_network(name);
    Graph built;
    network.build(built, Weights(shapes), Options(network, options), {batch, 3, height, width});
    return optimise(built);
  }
};

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
      for (int64_t size; words >> size;) dims.push_back(size);
      networks.back().shapes->add(name, Shape(dims));
    }
  }
  return networks;
}

// What the CUDA backend asks cuDNN for: depthwise convolutions are our own, an uneven border is laid by a kernel, and
// an image's three channels are padded to four in fp16.
inline std::set<ConvolutionSpec> convolutions(const Graph& graph, Precision precision) {
  std::set<ConvolutionSpec> specs;
  for (const Node& node : graph.nodes()) {
    const auto* op = std::get_if<Conv2d>(&node.op);
    if (!op) continue;
    const Shape &x = graph.shape(node.inputs[0]), &w = node.weights[0].shape();
    if (op->groups > 1 && w[1] == 1 && w[0] == op->groups) continue;
    const Padding& p = op->padding;
    const bool even = p.top == p.left && p.top == p.bottom && p.top == p.right;
    ConvolutionSpec s;
    s.precision = precision;
    s.n = x[0];
    s.height = x[2] + (even ? 0 : p.top + p.bottom);
    s.width = x[3] + (even ? 0 : p.left + p.right);
    s.channels = x[1] == 3 && precision == Precision::Fp16 ? 4 : x[1];
    s.outputs = node.shape[1];
    s.out_height = node.shape[2];
    s.out_width = node.shape[3];
    s.kernel = op->kernel;
    s.stride = op->stride;
    s.padding = even ? p.top : 0;
    s.dilation = op->dilation;
    s.groups = op->groups;
    s.residual = node.inputs.size() > 1;
    s.bias = node.weights.size() > 1;
    s.relu = op->activation == Activation::Relu;
    specs.insert(s);
  }
  return specs;
}

}  // namespace tyto::cuda
