#include "engine/self_test/self_test.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/graph/passes.h"
#include "engine/images/image_fit.h"
#include "engine/images/preprocessing.h"
#include "engine/model/build_graph.h"
#include "engine/reference/reference.h"
#include "engine/runtime/backend.h"
#include "engine/self_test/cases.h"
#include "engine/self_test/noise.h"
#include "engine/self_test/tolerance.h"
#include "files/memory_source.h"

namespace tyto {
namespace {

using Tensors = std::map<std::string, Tensor>;

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

// Whether a step only moves or clears what others compute.
bool moves(const PlanReport::Step& step) {
  for (const char* operation : {"reorder", "output", "nchw_to_nhwc", "zero"})
    if (step.operation == operation) return true;
  return false;
}

struct Run {
  Tensors outputs;
  PlanReport report;
};

Run run_on(Backend& backend, const Graph& graph, Precision precision, const Tensors& inputs) {
  const auto executable = backend.compile(graph, precision);
  Run run{output_tensors(graph, precision), {}};
  std::vector<BoundInput> bound;
  for (const auto& [name, value] : graph.inputs()) bound.emplace_back(&inputs.at(name));
  executable->submit(bound);
  executable->collect(run.outputs);
  run.report = executable->report();
  return run;
}

// Of values that are all numbers: the largest difference over the largest magnitude wanted; else infinite.
double relative_difference(const Tensor& given, const Tensor& wanted) {
  const Tensor got = given.to_f32(), want = wanted.to_f32();
  double difference = 0, scale = 0;
  const auto a = got.as<float>(), b = want.as<float>();
  for (size_t i = 0; i < a.size(); ++i) {
    const bool judged = std::isfinite(a[i]) && std::isfinite(b[i]);
    difference = std::max(difference, judged ? std::abs(double{a[i]} - b[i]) : INFINITY);
    if (judged) scale = std::max(scale, std::abs(double{b[i]}));
  }
  return difference / std::max(scale, 1e-30);
}

// What a graph sums: the most products in one sum, and how many sums follow each other.
struct AccumulationDepth {
  double terms = 1, layers = 0;
};

std::vector<SelfTestResult> compare(const Run& run, const Tensors& wanted, Precision precision,
                                    const std::string& name, const AccumulationDepth& depth) {
  std::string algorithm = "copy";
  bool winograd = false;
  for (const auto& step : run.report.steps) {
    if (algorithm == "copy" && !moves(step)) algorithm = step.algorithm;
    winograd |= step.algorithm.find("wino") != std::string::npos;
  }
  std::vector<SelfTestResult> results;
  for (const auto& [output, want] : wanted)
    results.push_back({wanted.size() > 1 ? name + ", " + output : name, algorithm,
                       relative_difference(run.outputs.at(output), want),
                       sum_tolerance(precision, depth.terms, depth.layers, winograd)});
  return results;
}

// Resampling and normalisation on the device have the CPU's bits.
std::vector<SelfTestResult> test_preprocessing(Context& context) {
  if (!backend_of(context).preprocesses()) return {};  // then it is done by the CPU
  std::vector<SelfTestResult> results;
  Image image{61, 47, {}};
  const Tensor pixels = noise({47, 61, 3}, 3, 0, 255.9f);
  for (float v : pixels.as<float>()) image.rgb.push_back(static_cast<uint8_t>(v));
  for (const Resampling resampling :
       {Resampling::PilBilinear, Resampling::PilBicubic, Resampling::PilLanczos, Resampling::CvBilinear,
        Resampling::TorchBilinear, Resampling::SkimageBilinear})
    for (const Fit fit : {Fit::Stretch, Fit::Letterbox, Fit::CenterCrop, Fit::BottomCrop, Fit::ShorterSide,
                          Fit::LongestSide, Fit::Within}) {
      const Preprocessing rule = {.height = 32,
                                  .width = 40,
                                  .resampling = resampling,
                                  .fit = fit,
                                  .shorter_side = 30,
                                  .longest_side = 37,
                                  .multiple_of = kernels::gives_bytes(resampling) ? 0 : 8,
                                  .fill = 114};
      const ImageFit size = fit_image(rule, image.width, image.height);
      const Shape shape = {1, 3, size.height, size.width};
      Graph graph;
      graph.output("image", graph.input("input", shape));
      const auto executable = backend_of(context).compile(graph, Precision::Fp32);
      Tensors got;
      got.emplace("image", Tensor(DType::F32, shape));
      const BoundInput bound = ImageBatch{{&image, 1}, &rule};
      executable->submit({&bound, 1});
      executable->collect(got);
      Tensor want(DType::F32, shape);
      Preprocessor(rule).run(image, want.as<float>());
      results.push_back(
          {"preprocessing, " + summary(rule), "tyto", relative_difference(got.at("image"), want), 0});
    }
  return results;
}

AccumulationDepth accumulation_depth(const Graph& graph) {
  AccumulationDepth depth;
  for (const Node& node : graph.nodes()) {
    if (node.weights.empty() || node.weights[0].shape().rank() < 2) continue;
    depth.terms = std::max(depth.terms, static_cast<double>(node.weights[0].shape().elements() /
                                                            std::max<int64_t>(1, node.weights[0].dim(0))));
    ++depth.layers;
  }
  return depth;
}

// The first layer whose result is further off than the whole network may be.
std::string first_wrong_layer(const Graph& graph, Backend& judge, Backend& backend, Precision precision,
                              const Tensors& inputs) {
  Graph every = graph;
  for (size_t id = 0; id < graph.nodes().size(); ++id)
    every.output(fmt::format("{:06}", id), {static_cast<int>(id)});
  const Tensors got = run_on(backend, every, precision, inputs).outputs,
                want = run_on(judge, every, Precision::Fp32, inputs).outputs;
  const AccumulationDepth depth = accumulation_depth(graph);
  for (size_t id = 0; id < graph.nodes().size(); ++id) {
    const std::string output = fmt::format("{:06}", id);
    if (relative_difference(got.at(output), want.at(output)) >
        sum_tolerance(precision, depth.terms, depth.layers))
      return graph.nodes()[id].name;
  }
  return "";
}

// Of one sample; where an image may have any size, a small one.
InputShapes shapes_for_test(const std::vector<InputInfo>& inputs) {
  constexpr int64_t kSmaller = 4;
  InputShapes shapes = input_shapes(inputs, 1);
  for (const InputInfo& input : inputs) {
    if (!input.is_images() || !varies(preprocessing_from_json(input.preprocessing))) continue;
    Shape& shape = shapes.at(input.name);
    for (size_t axis : {2, 3}) shape[axis] = std::max<int64_t>(1, shape[axis] / kSmaller);
  }
  return shapes;
}

}  // namespace

std::vector<SelfTestResult> self_test(Context& context, Precision precision) {
  std::vector<SelfTestResult> results = test_preprocessing(context);
  for (const OperatorCase& c : operator_cases()) {
    if (c.selects && precision != Precision::Fp32) continue;
    const Graph graph = graph_of(c, Weights(invent(c.weights)));
    const Tensors inputs = noise_for(graph);
    const auto compared = compare(run_on(backend_of(context), optimise(graph), precision, inputs),
                                  run_reference(graph, inputs), precision, c.name, {c.terms, c.layers});
    results.insert(results.end(), compared.begin(), compared.end());
  }
  return results;
}

std::vector<SelfTestResult> self_test(const Model& model, Context& context, Precision precision,
                                      const std::function<void()>& poll,
                                      const std::map<std::string, std::string>& set) {
  // A score that rounds to the other side of a threshold moves every row behind it, so what is counted is not
  // compared; such operators have cases of their own above.
  std::vector<std::string> outputs;
  Graph graph = build_graph(model, shapes_for_test(inputs_of(model, set)), set);
  for (const auto& [name, value] : graph.outputs())
    if (!graph.result(value).count && graph.result(value).elements != Elements::I32) outputs.push_back(name);
  graph = drop_dead(graph, outputs);
  const Tensors inputs = noise_for(graph);
  const Graph optimised = optimise(graph);
  const Run run = run_on(backend_of(context), optimised, precision, inputs);
  const std::string& name = model.info().network;
  if (context.device_kind() == "cpu")
    return compare(run, run_reference(graph, inputs, poll), precision, name, accumulation_depth(graph));

  const auto cpu = make_cpu_backend(context.options().threads, 0);
  std::vector<SelfTestResult> results = compare(run, run_on(*cpu, optimised, Precision::Fp32, inputs).outputs,
                                                precision, name, accumulation_depth(graph));
  std::string layer;
  for (SelfTestResult& result : results) {
    if (result.passed()) continue;
    if (layer.empty()) layer = first_wrong_layer(graph, *cpu, backend_of(context), precision, inputs);
    result.first_wrong_layer = layer;
  }
  return results;
}

}  // namespace tyto
