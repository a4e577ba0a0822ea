#include "tyto/image_pipeline.h"

#include <fmt/format.h>

#include <deque>
#include <utility>

#include "engine/images/image_fit.h"
#include "engine/images/preprocessing.h"
#include "engine/runtime/plan_graph.h"

namespace tyto {

struct ImagePipeline::Impl {
  Impl(Plan given, const Preprocessing& rule)
      : plan(std::move(given)), preprocessor(rule), inputs(static_cast<size_t>(plan.in_flight())) {}

  const TensorInfo& input() const { return plan.inputs().front(); }
  int64_t batch() const { return input().shape[0]; }

  void check_count(size_t images) const {
    if (static_cast<int64_t>(images) > batch())
      throw Error(ErrorKind::Shape, fmt::format("{} images in a batch of {}", images, batch()));
  }

  // Preprocessed here, into an input that no batch in flight has.
  std::vector<Geometry> fill(Tensor& input, std::span<const Image> images) {
    if (input.elements() == 0) input = Tensor(DType::F32, this->input().shape);
    const std::span<float> values = input.as<float>();
    const size_t row = values.size() / static_cast<size_t>(batch());
    std::vector<Geometry> geometries;
    for (size_t i = 0; i < images.size(); ++i)
      geometries.push_back(preprocessor.run(images[i], values.subspan(i * row, row)));
    std::ranges::fill(values.subspan(images.size() * row), 0.0f);
    return geometries;
  }

  Plan plan;
  Preprocessor preprocessor;
  std::vector<Tensor> inputs;  // of the batches in flight, where they are preprocessed here
  size_t next_input = 0;
  std::deque<std::vector<Geometry>> submitted;  // and not collected
};

ImagePipeline::ImagePipeline(Plan plan, const std::string& preprocessing)
    : impl_(std::make_unique<Impl>(std::move(plan), preprocessing_from_json(preprocessing))) {}

ImagePipeline::~ImagePipeline() = default;

void ImagePipeline::submit(const Tensor& input, std::span<const Geometry> images) {
  impl_->check_count(images.size());
  impl_->plan.submit(input);
  impl_->submitted.emplace_back(images.begin(), images.end());
}

void ImagePipeline::submit(std::span<const Image> images) {
  impl_->check_count(images.size());
  if (preprocesses()) {
    const Preprocessing& rule = impl_->preprocessor.rule();
    tyto::submit(impl_->plan, {{impl_->input().name, ImageBatch{images, &rule}}});
    std::vector<Geometry>& geometries = impl_->submitted.emplace_back();
    for (const Image& image : images)
      geometries.push_back(fit_image(rule, image.width, image.height).geometry());
    return;
  }
  Tensor& input = impl_->inputs[impl_->next_input];
  std::vector<Geometry> geometries = impl_->fill(input, images);
  impl_->plan.submit(input);
  impl_->next_input = (impl_->next_input + 1) % impl_->inputs.size();
  impl_->submitted.push_back(std::move(geometries));
}

ImagePipeline::Result ImagePipeline::collect_outputs() {
  const auto& outputs = impl_->plan.collect();  // throws where nothing was submitted
  std::vector<Geometry> images = std::move(impl_->submitted.front());
  impl_->submitted.pop_front();
  return {outputs, std::move(images)};
}

int ImagePipeline::in_flight() const { return impl_->plan.in_flight(); }
bool ImagePipeline::preprocesses() const { return impl_->plan.preprocesses(); }
const Plan& ImagePipeline::plan() const { return impl_->plan; }
size_t ImagePipeline::waiting() const { return impl_->submitted.size(); }

}  // namespace tyto
