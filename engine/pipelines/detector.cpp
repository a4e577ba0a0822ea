#include "tyto/detector.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <utility>

#include "engine/graph/passes.h"
#include "engine/model/build_graph.h"
#include "kernels/detection/boxes.h"
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
  InputShapes shapes = {{model.image_input().name, input}};
  if (model.sizes_input()) shapes.emplace(model.sizes_input()->name, Shape{input[0], kernels::kSizesRow});
  const Inputs inputs = declare_inputs(detector.graph, model.info().inputs, shapes);
  const NetworkOutputs built = append_network(detector.graph, model, inputs, options.set);
  if (built.task != Task::Detect)
    throw Error(ErrorKind::Unsupported, fmt::format("{}: a {} finds no boxes: it has no output 'detections'",
                                                    model.path().string(), model.info().network));
  for (const auto& [name, value] : built.values)
    if (name == kOutput || options.trace) detector.graph.output(name, value);
  if (options.trace)
    for (const auto& [name, value] : inputs) detector.graph.output(name, value);
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

// Sample i of a tensor of `samples`: of [N, ...] without the N; of [N * R, ...] its R.
Tensor sample_of(const Tensor& all, int64_t samples, int64_t i, std::optional<int32_t> count) {
  std::vector<int64_t> sizes = all.shape().dims();
  if (sizes[0] == samples && sizes.size() > 1)
    sizes.erase(sizes.begin());
  else
    sizes[0] /= samples;
  if (count) sizes[0] = *count;
  Tensor sample(all.dtype(), Shape(sizes));
  const int64_t step = all.bytes() / samples;
  std::memcpy(sample.data(), static_cast<const std::byte*>(all.data()) + i * step,
              static_cast<size_t>(sample.bytes()));
  return sample;
}

}  // namespace

Detector::Detector(const Model& model, Context& context, const DetectOptions& options)
    : Detector(model, context, options,
               detector_graph(model, model.input_shapes(options.batch).at(model.image_input().name), options)
                   .classes) {}

Detector::Detector(const Model& model, Context& context, const DetectOptions& options, int64_t classes)
    : ImagePipeline(context, options.precision, options.batch, model,
                    [&model, options](const Shape& input) {
                      return optimise(detector_graph(model, input, options).graph);
                    }),
      names_(class_names(model, static_cast<size_t>(classes))) {}

const std::string& Detector::name(int label) const { return names_.at(static_cast<size_t>(label)); }

std::vector<std::vector<Detection>> Detector::collect() {
  last_.emplace(collect_outputs());
  return detections_of(last_->outputs, last_->images);
}

std::vector<Detector::Trace> Detector::traces() const {
  if (!last_) throw Error(ErrorKind::Usage, "nothing was collected that could be traced");
  const int64_t samples = last_->outputs.at(std::string(kOutput) + kCountSuffix).dim(0);
  std::vector<Trace> traces(last_->images.size());
  for (const auto& [name, tensor] : last_->outputs) {
    if (name.ends_with(kCountSuffix)) continue;  // each tensor has as many rows
    const auto counts = last_->outputs.find(name + kCountSuffix);
    for (size_t i = 0; i < traces.size(); ++i) {
      std::optional<int32_t> count;
      if (counts != last_->outputs.end()) count = counts->second.as<int32_t>()[i];
      traces[i].emplace(name, sample_of(tensor, samples, static_cast<int64_t>(i), count));
    }
  }
  return traces;
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
