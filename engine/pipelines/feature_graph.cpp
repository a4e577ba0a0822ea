#include "engine/pipelines/feature_graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/graph/passes.h"
#include "engine/model/build_graph.h"
#include "engine/networks/network.h"

namespace tyto {
namespace {

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
NamedValues vectors_of(Graph& graph, const Model& model, const ExtractOptions& options, Value view) {
  NamedValues vectors;
  for (const auto& output :
       append_network(graph, model, {{model.image_input().name, view}}, options.set).values) {
    const Result& result = graph.result(output.second);
    if (result.kind == Kind::Rows && result.shape.rank() == 2 && output.first != "logits")
      vectors.push_back(output);
  }
  if (vectors.empty())
    throw Error(ErrorKind::Unsupported, fmt::format("{}: a {} has no output that is one vector an image",
                                                    model.path().string(), model.info().network));
  return vectors;
}

}  // namespace

bool flips(const Model& model, const ExtractOptions& options) {
  return options.flip.value_or(find_network(model.info().network).flips);
}

Graph feature_graph(const Model& model, const Shape& input, const ExtractOptions& options,
                    std::vector<FeatureMatrix>* matrices) {
  check(options);
  if (model.sizes_input())
    throw Error(ErrorKind::Unsupported,
                fmt::format("{}: a {} takes an image's sizes, and features of an image have none",
                            model.path().string(), model.info().network));
  Graph graph;
  const Value image = graph.input(model.image_input().name, input);
  std::vector<NamedValues> views;
  for (const bool mirrored : {false, true}) {
    if (mirrored && !flips(model, options)) break;
    Value view = mirrored ? graph.flip_horizontal(image) : image;
    for (const double scale : options.scales) {
      view = rescaled(graph, view, scale);
      views.push_back(vectors_of(graph, model, options, view));
    }
  }
  std::vector<Value> rows;
  for (size_t i = 0; i < views.front().size(); ++i) {
    std::vector<Value> summed;
    for (const NamedValues& view : views) summed.push_back(view[i].second);
    const std::string& name = views.front()[i].first;
    rows.push_back(graph.normalized_sum(name, summed));
    if (matrices) matrices->push_back({name, graph.shape(rows.back())[1]});
  }
  graph.output(kFeatureRows, rows.size() == 1 ? rows.front() : graph.concat(rows, 1));
  return optimise(graph);
}

}  // namespace tyto
