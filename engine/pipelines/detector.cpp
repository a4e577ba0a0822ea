#include "tyto/detector.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "engine/graph/passes.h"
#include "engine/model/build_graph.h"
#include "kernels/detection/nms.h"

namespace tyto {
namespace {

const char* const kOutput = "detections";

Graph detector_graph(const Model& model, const InputShapes& inputs, const DetectOptions& options) {
  if (options.batch < 1) throw Error(ErrorKind::Usage, fmt::format("a batch of {} images", options.batch));
  Graph graph = build_graph(model, inputs, options.set);
  for (const auto& [name, value] : graph.outputs())
    if (name == kOutput) return graph;
  throw Error(ErrorKind::Unsupported, fmt::format("{}: a {} finds no boxes: it has no output 'detections'",
                                                  model.path().string(), model.info().network));
}

// One for each class of the logits.
std::vector<std::string> class_names(const Model& model, const Graph& graph) {
  size_t classes = 0;
  for (const auto& [name, value] : graph.outputs())
    if (name == "logits") classes = static_cast<size_t>(graph.shape(value)[graph.shape(value).rank() - 1]);
  std::vector<std::string> names = model.info().class_names;
  for (size_t label = names.size(); label < classes; ++label) names.push_back(fmt::format("class {}", label));
  names.resize(classes);
  return names;
}

Detection from_row(const float* row, const Geometry& g) {
  const double left = (row[0] - g.offset_x) / g.scale_x, top = (row[1] - g.offset_y) / g.scale_y;
  const double right = (row[2] - g.offset_x) / g.scale_x, bottom = (row[3] - g.offset_y) / g.scale_y;
  return {static_cast<int>(row[5]),         row[4],
          static_cast<float>(left),         static_cast<float>(top),
          static_cast<float>(right - left), static_cast<float>(bottom - top)};
}

bool is_finite(const Detection& d) {
  return std::isfinite(d.x) && std::isfinite(d.y) && std::isfinite(d.width) && std::isfinite(d.height);
}

std::vector<std::vector<Detection>> detections_of(const std::map<std::string, Tensor>& outputs,
                                                  const std::vector<Geometry>& images) {
  const Tensor &rows = outputs.at(kOutput), &counts = outputs.at(std::string(kOutput) + kCountSuffix);
  const int64_t capacity = rows.dim(1);
  std::vector<std::vector<Detection>> found(images.size());
  for (size_t i = 0; i < found.size(); ++i) {
    const float* row = rows.as<float>().data() + static_cast<int64_t>(i) * capacity * kernels::kDetectionRow;
    const float* const end = row + counts.as<int32_t>()[i] * kernels::kDetectionRow;
    for (; row != end; row += kernels::kDetectionRow) {
      const Detection d = from_row(row, images[i]);
      if (is_finite(d)) found[i].push_back(d);
    }
  }
  return found;
}

}  // namespace

Detector::Detector(const Model& model, Context& context, const DetectOptions& options)
    : Detector(model, context, options, detector_graph(model, model.input_shapes(options.batch), options)) {}

Detector::Detector(const Model& model, Context& context, const DetectOptions& options, const Graph& graph)
    : ImagePipeline(context, options.precision, options.batch, model.info().preprocessing,
                    [&model, options, name = graph.inputs().front().first](const Shape& input) {
                      return optimise(detector_graph(model, {{name, input}}, options), {kOutput});
                    }),
      names_(class_names(model, graph)) {}

const std::string& Detector::name(int label) const { return names_.at(static_cast<size_t>(label)); }

std::vector<std::vector<Detection>> Detector::collect() {
  const Result batch = collect_outputs();
  return detections_of(batch.outputs, batch.images);
}

std::vector<std::vector<Detection>> Detector::run(const Tensor& input, std::span<const Geometry> images) {
  submit(input, images);
  return collect();
}

std::vector<std::vector<Detection>> Detector::detect(std::span<const Image> images) {
  std::vector<std::vector<Detection>> found(images.size());
  run_all(images, [&](std::span<const size_t> which, const Result& batch) {
    std::vector<std::vector<Detection>> of_batch = detections_of(batch.outputs, batch.images);
    for (size_t i = 0; i < which.size(); ++i) found[which[i]] = std::move(of_batch[i]);
  });
  return found;
}

}  // namespace tyto
