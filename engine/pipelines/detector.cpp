#include "tyto/detector.h"

#include <fmt/format.h>

#include <cmath>
#include <deque>
#include <utility>

#include "engine/model_graph.h"
#include "engine/pipelines/batches.h"
#include "engine/preprocessing.h"
#include "kernels/detection/select_detections.h"

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

}  // namespace

struct Detector::Impl {
  size_t classes;
  int batch;
  Plan plan;
  Preprocessor preprocessor;
  std::vector<std::string> names;
  std::deque<std::vector<Geometry>> submitted;  // and not collected

  Impl(const Model& model, Context& context, const DetectOptions& options)
      : classes(static_cast<size_t>(count_classes(model, options.set))),
        batch(options.batch),
        plan(make_plan(model, context, options)),
        preprocessor(preprocessing_from_json(model.info().preprocessing)),
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

std::vector<std::vector<Detection>> Detector::run(const Tensor& input, std::span<const Geometry> images) {
  submit(input, images);
  return collect();
}

void Detector::submit(const Tensor& input, std::span<const Geometry> images) {
  if (static_cast<int64_t>(images.size()) > impl_->batch)
    throw Error(ErrorKind::Shape, fmt::format("{} images in a batch of {}", images.size(), impl_->batch));
  impl_->plan.submit(input);
  impl_->submitted.emplace_back(images.begin(), images.end());
}

std::vector<std::vector<Detection>> Detector::collect() {
  const Tensor& rows = impl_->plan.collect().at(kOutput);
  const std::vector<Geometry> images = std::move(impl_->submitted.front());
  impl_->submitted.pop_front();
  const int64_t capacity = rows.dim(1);
  std::vector<std::vector<Detection>> found(images.size());
  for (size_t i = 0; i < images.size(); ++i) {
    const float* row = rows.as<float>().data() + static_cast<int64_t>(i) * capacity * kernels::kDetectionRow;
    const float* const end = row + capacity * kernels::kDetectionRow;
    for (; row != end && row[5] >= 0; row += kernels::kDetectionRow) {
      const Detection d = from_row(row, images[i]);
      if (is_finite(d)) found[i].push_back(d);
    }
  }
  return found;
}

int Detector::in_flight() const { return impl_->plan.in_flight(); }

std::vector<std::vector<Detection>> Detector::detect(std::span<const Image> images) {
  std::vector<std::vector<Detection>> found;
  for_each_batch(impl_->preprocessor, images, impl_->batch,
                 [&](const Tensor& input, size_t, std::span<const Geometry> rows) {
                   for (auto& image : run(input, rows)) found.push_back(std::move(image));
                 });
  return found;
}

}  // namespace tyto
