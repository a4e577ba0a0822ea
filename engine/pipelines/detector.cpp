#include "tyto/detector.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "engine/model/build_graph.h"
#include "engine/pipelines/image_plan.h"
#include "kernels/detection/nms.h"

namespace tyto {
namespace {

const char* const kOutput = "detections";

Plan make_plan(const Model& model, Context& context, const DetectOptions& options) {
  if (options.batch < 1) throw Error(ErrorKind::Usage, fmt::format("a batch of {} images", options.batch));
  return {model, context, model.input_shape(options.batch), {options.precision, {kOutput}, options.set}};
}

// Of the logits; and whether it is a detector at all.
int64_t count_classes(const Model& model, const std::map<std::string, std::string>& set) {
  const Graph graph = build_graph(model, model.input_shape(1), set);
  int64_t classes = 0;
  bool detects = false;
  for (const auto& [name, value] : graph.outputs()) {
    if (name == "logits") classes = graph.shape(value)[graph.shape(value).rank() - 1];
    detects |= name == kOutput;
  }
  if (!detects)
    throw Error(ErrorKind::Unsupported, fmt::format("{}: a {} finds no boxes: it has no output 'detections'",
                                                    model.path().string(), model.info().network));
  return classes;
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

std::vector<std::vector<Detection>> detections_of(const ImagePlan::Result& batch) {
  const Tensor& rows = batch.outputs.at(kOutput);
  const int64_t capacity = rows.dim(1);
  std::vector<std::vector<Detection>> found(batch.images.size());
  for (size_t i = 0; i < found.size(); ++i) {
    const float* row = rows.as<float>().data() + static_cast<int64_t>(i) * capacity * kernels::kDetectionRow;
    const float* const end = row + capacity * kernels::kDetectionRow;
    for (; row != end && row[5] >= 0; row += kernels::kDetectionRow) {
      const Detection d = from_row(row, batch.images[i]);
      if (is_finite(d)) found[i].push_back(d);
    }
  }
  return found;
}

}  // namespace

struct Detector::Impl {
  size_t classes;
  ImagePlan plan;
  std::vector<std::string> names;

  Impl(const Model& model, Context& context, const DetectOptions& options)
      : classes(static_cast<size_t>(count_classes(model, options.set))),
        plan(make_plan(model, context, options), preprocessing_from_json(model.info().preprocessing)),
        names(model.info().class_names) {
    for (size_t label = names.size(); label < classes; ++label)
      names.push_back(fmt::format("class {}", label));
    names.resize(classes);
  }
};

Detector::Detector(const Model& model, Context& context, DetectOptions options)
    : impl_(std::make_unique<Impl>(model, context, options)) {}

Detector::~Detector() = default;

int Detector::classes() const { return static_cast<int>(impl_->classes); }

const std::string& Detector::name(int label) const { return impl_->names.at(static_cast<size_t>(label)); }

void Detector::submit(const Tensor& input, std::span<const Geometry> images) {
  impl_->plan.submit(input, images);
}

void Detector::submit(std::span<const Image> images) { impl_->plan.submit(images); }

std::vector<std::vector<Detection>> Detector::collect() { return detections_of(impl_->plan.collect()); }

std::vector<std::vector<Detection>> Detector::run(const Tensor& input, std::span<const Geometry> images) {
  submit(input, images);
  return collect();
}

int Detector::in_flight() const { return impl_->plan.in_flight(); }
bool Detector::preprocesses() const { return impl_->plan.preprocesses(); }

std::vector<std::vector<Detection>> Detector::detect(std::span<const Image> images) {
  std::vector<std::vector<Detection>> found;
  impl_->plan.run(images, [&](size_t, const ImagePlan::Result& batch) {
    for (auto& image : detections_of(batch)) found.push_back(std::move(image));
  });
  return found;
}

}  // namespace tyto
