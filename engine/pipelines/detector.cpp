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

struct DetectorGraph {
  Graph graph;  // of the detections alone
  int64_t classes = 0;
};

DetectorGraph detector_graph(const Model& model, const Shape& input, const DetectOptions& options) {
  if (options.batch < 1) throw Error(ErrorKind::Usage, fmt::format("a batch of {} images", options.batch));
  DetectorGraph detector;
  const Inputs inputs =
      declare_inputs(detector.graph, model.info().inputs, {{model.image_input().name, input}});
  const NetworkOutputs built = append_network(detector.graph, model, inputs, options.set);
  if (built.task != Task::Detect)
    throw Error(ErrorKind::Unsupported, fmt::format("{}: a {} finds no boxes: it has no output 'detections'",
                                                    model.path().string(), model.info().network));
  for (const auto& [name, value] : built.values)
    if (name == kOutput) detector.graph.output(name, value);
  detector.classes = built.classes;
  return detector;
}

std::vector<std::string> class_names(const Model& model, size_t classes) {
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
    : Detector(model, context, options,
               detector_graph(model, model.input_shapes(options.batch).at(model.image_input().name), options)
                   .classes) {}

Detector::Detector(const Model& model, Context& context, const DetectOptions& options, int64_t classes)
    : ImagePipeline(context, options.precision, options.batch, model.image_input().preprocessing,
                    [&model, options](const Shape& input) {
                      return optimise(detector_graph(model, input, options).graph);
                    }),
      names_(class_names(model, static_cast<size_t>(classes))) {}

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
