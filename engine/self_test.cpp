#include "engine/self_test.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "engine/backend.h"
#include "engine/graph/passes.h"
#include "engine/memory_source.h"
#include "engine/model_graph.h"
#include "engine/reference/reference.h"
#include "engine/tolerance.h"

namespace tyto {
namespace {

Tensor noise(const Shape& shape, uint32_t seed, float low, float high) {
  Tensor t(DType::F32, shape);
  std::minstd_rand random(seed);  // the same numbers on every machine, unlike std::uniform_real_distribution
  const auto span = static_cast<float>(std::minstd_rand::max() - std::minstd_rand::min());
  for (float& v : t.as<float>())
    v = low + (high - low) * (static_cast<float>(random() - std::minstd_rand::min()) / span);
  return t;
}

struct Case {
  std::string name;
  Shape input;
  double terms, layers;
  std::vector<std::pair<std::string, Shape>> weights;
  Value (*build)(Graph&, const Weights&, Value);
  bool selects = false;  // what is found hangs on thresholds, which the rounding of fp32 alone does not reach
};

// Two anchors a cell, two classes and the background: maps to detections. Thresholds lie where no score or overlap of
// this case comes near.
Value detection_head(Graph& g, const Weights& w, Value x) {
  const Value locations = g.concat_heads("locations", {g.conv2d(x, w.scope("locations"), {.kernel = 1})}, 4);
  const Value logits = g.concat_heads("logits", {g.conv2d(x, w.scope("logits"), {.kernel = 1})}, 3);
  const Shape& map = g.shape(x);
  std::vector<float> anchors;
  for (int64_t i = 0; i < map[2]; ++i)
    for (int64_t j = 0; j < map[3]; ++j)
      for (float size : {0.5f, 0.25f}) {
        const float row = (static_cast<float>(i) + 0.5f) / static_cast<float>(map[2]),
                    column = (static_cast<float>(j) + 0.5f) / static_cast<float>(map[3]);
        anchors.insert(anchors.end(), {column, row, size, size});
      }
  const Value boxes = g.decode_boxes(
      locations, Tensor::of<float>({static_cast<int64_t>(anchors.size()) / 4, 4}, anchors), {});
  return g.select_detections(boxes, g.class_scores(logits, {}),
                             {.score_threshold = 0.35f, .max_detections = 20});
}

Value norm(Graph& g, const Weights& w, Value x) { return g.batch_norm(x, w.scope("bn")); }

Value residual_tower(Graph& g, const Weights& w, Value x) {
  x = g.relu(norm(g, w, g.conv2d(x, w.scope("a"), {.kernel = 3, .padding = 1})));
  const Value y = g.relu(g.conv2d(x, w.scope("b"), {.kernel = 1}));
  x = g.relu(g.add(g.conv2d(y, w.scope("c"), {.kernel = 3, .padding = 1}), x));
  return g.linear(g.flatten(g.global_average_pool(x)), w.scope("fc"));
}

std::vector<Case> cases() {
  const std::vector<std::pair<std::string, Shape>> bn = {
      {"bn.weight", {32}}, {"bn.bias", {32}}, {"bn.running_mean", {32}}, {"bn.running_var", {32}}};
  std::vector<std::pair<std::string, Shape>> tower = {{"a.weight", {32, 32, 3, 3}},
                                                      {"b.weight", {32, 32, 1, 1}},
                                                      {"c.weight", {32, 32, 3, 3}},
                                                      {"fc.weight", {10, 32}}};
  tower.insert(tower.end(), bn.begin(), bn.end());
  return {
      {"7x7 convolution of an image, stride 2",
       {2, 3, 37, 29},
       147,
       1,
       {{"weight", {64, 3, 7, 7}}},
       [](Graph& g, const Weights& w, Value x) {
         return g.conv2d(x, w, {.kernel = 7, .stride = 2, .padding = 3});
       }},
      {"3x3 convolution",
       {2, 64, 19, 17},
       576,
       1,
       {{"weight", {64, 64, 3, 3}}, {"bias", {64}}},
       [](Graph& g, const Weights& w, Value x) { return g.conv2d(x, w, {.kernel = 3, .padding = 1}); }},
      {"3x3 convolution, stride 2, odd channels",
       {1, 21, 18, 23},
       189,
       1,
       {{"weight", {13, 21, 3, 3}}},
       [](Graph& g, const Weights& w, Value x) {
         return g.conv2d(x, w, {.kernel = 3, .stride = 2, .padding = 1});
       }},
      {"1x1 convolution",
       {2, 64, 9, 7},
       64,
       1,
       {{"weight", {128, 64, 1, 1}}},
       [](Graph& g, const Weights& w, Value x) { return g.conv2d(x, w, {.kernel = 1}); }},
      {"depthwise convolution and ReLU6",
       {2, 96, 15, 11},
       9,
       1,
       {{"weight", {96, 1, 3, 3}}},
       [](Graph& g, const Weights& w, Value x) {
         return g.activate(g.conv2d(x, w, {.kernel = 3, .padding = 1, .groups = 96}), Activation::Relu6);
       }},
      {"linear",
       {5, 512},
       512,
       1,
       {{"weight", {300, 512}}, {"bias", {300}}},
       [](Graph& g, const Weights& w, Value x) { return g.linear(x, w); }},
      {"batch norm alone", {2, 32, 5, 7}, 2, 1, bn, norm},
      {"instance norm of half the channels",
       {2, 32, 9, 7},
       63,
       2,
       {{"weight", {16}}, {"bias", {16}}},
       [](Graph& g, const Weights& w, Value x) { return g.relu(g.instance_norm(x, w)); }},
      {"max pool with a last partial window",
       {2, 24, 13, 10},
       1,
       1,
       {},
       [](Graph& g, const Weights&, Value x) {
         return g.max_pool(x, {.kernel = 3, .stride = 2, .ceil = true});
       }},
      {"adaptive average pool",
       {2, 24, 13, 10},
       25,
       1,
       {},
       [](Graph& g, const Weights&, Value x) {
         return g.adaptive_average_pool(x, {5, 3});
       }},
      {"hard swish and squeeze-and-excitation",
       {2, 24, 9, 7},
       48,
       4,
       {{"a.weight", {24, 24, 1, 1}}, {"b.weight", {24, 24, 1, 1}}, {"b.bias", {24}}},
       [](Graph& g, const Weights& w, Value x) {
         x = g.activate(g.conv2d(x, w.scope("a"), {.kernel = 1}), Activation::HardSwish);
         const Value s = g.conv2d(g.global_average_pool(x), w.scope("b"), {.kernel = 1});
         return g.scale_channels(x, g.activate(s, Activation::HardSigmoid));
       }},
      {"unit length over channels",
       {2, 24, 9, 7},
       24,
       1,
       {{"scale", {24}}},
       [](Graph& g, const Weights& w, Value x) { return g.l2_normalize(x, w("scale", {24}), {}); }},
      {"detection head",
       {2, 16, 5, 7},
       16,
       4,
       {{"locations.weight", {8, 16, 1, 1}}, {"logits.weight", {6, 16, 1, 1}}, {"logits.bias", {6}}},
       detection_head,
       /*selects=*/true},
      {"residual tower with batch norm", {2, 32, 14, 14}, 288, 4, tower, residual_tower},
  };
}

// Weights between -1 and 1 over the root of their fan-in; what a batch norm divides by is positive.
std::shared_ptr<MemorySource> invent(const std::vector<std::pair<std::string, Shape>>& weights) {
  std::vector<std::pair<std::string, Tensor>> tensors;
  uint32_t seed = 7;
  for (const auto& [name, shape] : weights) {
    const auto fan_in = static_cast<double>(std::max<int64_t>(1, shape.elements() / shape[0]));
    const float high = shape.rank() == 1 ? 1.5f : static_cast<float>(std::sqrt(3.0 / fan_in));
    tensors.emplace_back(name, noise(shape, ++seed, name.ends_with("running_var") ? 0.5f : -high, high));
  }
  return std::make_shared<MemorySource>(std::move(tensors), "selftest");
}

std::vector<SelfTestResult> compare(const Graph& graph, const Tensor& input, Context& context,
                                    Precision precision, const std::string& name, double terms, double layers,
                                    const std::function<void()>& poll = {}) {
  const Graph fused = optimise(graph);
  const auto executable = context.backend().compile(fused, precision);
  std::map<std::string, Tensor> got;
  for (const auto& [output, value] : fused.outputs())
    got.emplace(output, Tensor(DType::F32, fused.shape(value)));
  executable->submit(input);
  executable->collect(got);

  std::string algorithm = "copy";
  bool winograd = false;
  for (const auto& step : executable->report().steps) {
    if (step.operation != "reorder" && step.operation != "output" && algorithm == "copy")
      algorithm = step.algorithm;
    winograd |= step.algorithm.find("wino") != std::string::npos;
  }
  std::vector<SelfTestResult> results;
  for (const auto& [output, want] : run_reference(graph, input, poll)) {
    double difference = 0, scale = 0;
    const auto a = got.at(output).as<float>();
    const auto b = want.as<float>();
    for (size_t i = 0; i < a.size(); ++i) {
      const bool judged = std::isfinite(a[i]) && std::isfinite(b[i]);
      difference = std::max(difference, judged ? std::abs(double{a[i]} - b[i]) : INFINITY);
      if (judged) scale = std::max(scale, std::abs(double{b[i]}));
    }
    results.push_back({graph.outputs().size() > 1 ? name + ", " + output : name, algorithm,
                       difference / std::max(scale, 1e-30),
                       sum_tolerance(precision, terms, layers, winograd)});
  }
  return results;
}

}  // namespace

std::vector<SelfTestResult> self_test(Context& context, Precision precision) {
  std::vector<SelfTestResult> results;
  for (const Case& c : cases()) {
    if (c.selects && precision != Precision::Fp32) continue;
    Graph graph;
    const Value x = graph.input("input", c.input);
    graph.output("output", c.build(graph, Weights(invent(c.weights)), x));
    const auto compared =
        compare(graph, noise(c.input, 1, -1, 1), context, precision, c.name, c.terms, c.layers);
    results.insert(results.end(), compared.begin(), compared.end());
  }
  return results;
}

std::vector<SelfTestResult> self_test(const Model& model, Context& context, Precision precision,
                                      const std::function<void()>& poll) {
  const Shape input = model.input_shape(1);
  // A score that rounds to the other side of a threshold moves every row behind it, so detections are not compared;
  // their operator has a case of its own above.
  std::vector<std::string> outputs;
  Graph graph = build_graph(model, input);
  for (const auto& [name, value] : graph.outputs())
    if (name != "detections") outputs.push_back(name);
  graph = drop_dead(graph, outputs);
  double terms = 1, layers = 0;
  for (const Node& node : graph.nodes()) {
    if (node.weights.empty() || node.weights[0].shape().rank() < 2) continue;
    terms = std::max(terms, static_cast<double>(node.weights[0].shape().elements() /
                                                std::max<int64_t>(1, node.weights[0].dim(0))));
    ++layers;
  }
  return compare(graph, noise(input, 1, -1, 1), context, precision, model.info().network, terms, layers,
                 poll);
}

}  // namespace tyto
