#include "engine/pipelines/feature_graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/graph/passes.h"
#include "engine/model/build_graph.h"

namespace tyto {
namespace {

const char* const kOutput = "features";

void check(const ExtractOptions& options) {
  if (options.batch < 1) throw Error(ErrorKind::Usage, fmt::format("a batch of {} images", options.batch));
  if (options.scales.empty()) throw Error(ErrorKind::Usage, "no scale to extract at");
  for (double s : options.scales)
    if (!(s > 0.01 && s < 100))
      throw Error(ErrorKind::Usage, fmt::format("scale {} is not between 0.01 and 100", s));
}

// Each scale's view is made from the one before it.
Value rescaled(Graph& graph, Value view, double scale) {
  if (scale == 1) return view;
  try {
    return graph.rescale_bicubic(view, std::sqrt(scale));
  } catch (const Error& error) {
    throw Error(ErrorKind::Usage, fmt::format("after scale {} nothing is left of the image", scale));
  }
}

// The network, reading `view`; all its copies share their weights.
Value features_of(Graph& graph, const Model& model, Value view) {
  for (const auto& [name, value] : append_network(graph, model, {{model.image_input().name, view}}).values)
    if (name == kOutput) return value;
  throw Error(ErrorKind::Unsupported, fmt::format("{}: a {} has no output '{}'", model.path().string(),
                                                  model.info().network, kOutput));
}

void check_features(const Model& model, const Shape& shape) {
  if (shape.rank() != 2)
    throw Error(ErrorKind::Unsupported,
                fmt::format("{}: its output 'features' is {}, not one vector an image", model.path().string(),
                            shape.str()));
}

}  // namespace

Graph feature_graph(const Model& model, const Shape& input, const ExtractOptions& options) {
  check(options);
  if (model.sizes_input())
    throw Error(ErrorKind::Unsupported,
                fmt::format("{}: a {} takes an image's sizes, and features of an image have none",
                            model.path().string(), model.info().network));
  Graph graph;
  const Value image = graph.input(model.image_input().name, input);
  std::vector<Value> features;
  for (const bool mirrored : {false, true}) {
    if (mirrored && !options.flip) break;
    Value view = mirrored ? graph.flip_horizontal(image) : image;
    for (const double scale : options.scales) {
      view = rescaled(graph, view, scale);
      features.push_back(features_of(graph, model, view));
      check_features(model, graph.shape(features.back()));
    }
  }
  graph.output(kOutput, graph.normalized_sum(kOutput, features));
  return optimise(graph);
}

}  // namespace tyto
