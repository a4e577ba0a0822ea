#include "engine/pipelines/image_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "tyto/error.h"

namespace tyto {

ImagePlan::ImagePlan(Plan plan, const Preprocessing& rule)
    : plan_(std::move(plan)), preprocessor_(rule), inputs_(static_cast<size_t>(plan_.in_flight())) {}

void ImagePlan::submit(const Tensor& input, std::span<const Geometry> images) {
  check_count(images.size());
  plan_.submit(input);
  submitted_.emplace_back(images.begin(), images.end());
}

void ImagePlan::submit(std::span<const Image> images) {
  check_count(images.size());
  if (plan_.preprocesses()) {
    submitted_.push_back(plan_.submit(images, preprocessor_.rule()));
    return;
  }
  Tensor& input = inputs_[next_input_];
  if (input.elements() == 0) input = Tensor(DType::F32, plan_.input_shape());
  const std::span<float> values = input.as<float>();
  const size_t row = values.size() / static_cast<size_t>(plan_.input_shape()[0]);
  std::vector<Geometry> geometries;
  for (size_t i = 0; i < images.size(); ++i)
    geometries.push_back(preprocessor_.run(images[i], values.subspan(i * row, row)));
  std::ranges::fill(values.subspan(images.size() * row), 0.0f);
  plan_.submit(input);
  next_input_ = (next_input_ + 1) % inputs_.size();
  submitted_.push_back(std::move(geometries));
}

ImagePlan::Result ImagePlan::collect() {
  const auto& outputs = plan_.collect();  // throws where nothing was submitted
  std::vector<Geometry> images = std::move(submitted_.front());
  submitted_.pop_front();
  return {outputs, std::move(images)};
}

void ImagePlan::check_count(size_t images) const {
  if (static_cast<int64_t>(images) > plan_.input_shape()[0])
    throw Error(ErrorKind::Shape, fmt::format("{} images in a batch of {}", images, plan_.input_shape()[0]));
}

}  // namespace tyto
