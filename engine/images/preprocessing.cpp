#include "engine/images/preprocessing.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/images/image_fit.h"
#include "tyto/error.h"

namespace tyto {

void check_image(const Image& image) {
  if (image.width < 1 || image.height < 1 ||
      image.rgb.size() != static_cast<size_t>(image.width) * static_cast<size_t>(image.height) * 3)
    throw Error(ErrorKind::Shape,
                fmt::format("an image of {} x {} pixels with {} bytes cannot be preprocessed", image.width,
                            image.height, image.rgb.size()));
}

kernels::NormalizeParams normalization_of(const Preprocessing& rule) {
  return {.order = rule.channels, .scale = rule.scale, .mean = rule.mean, .std = rule.std};
}

Preprocessor::Preprocessor(Preprocessing rule) : rule_(rule) {
  check_rule(rule_);
  table_ = kernels::make_normalize_table(normalization_of(rule_));
  canvas_.resize(static_cast<size_t>(rule_.height) * rule_.width * 3);
}

Geometry Preprocessor::run(const Image& image, std::span<float> into) {
  check_image(image);
  if (into.size() != canvas_.size())
    throw Error(ErrorKind::Shape, fmt::format("the input of [3, {}, {}] has {} values, not {}", rule_.height,
                                              rule_.width, canvas_.size(), into.size()));
  const ImageFit fit = fit_image(rule_, image.width, image.height);
  const kernels::ResizeParams& p = fit.resize;
  const int64_t area = static_cast<int64_t>(rule_.height) * rule_.width;
  const bool covers = fit.covers(rule_);
  if (rule_.resampling == Resampling::TorchBilinear) {
    for (size_t c = 0; c < 3 && !covers; ++c)
      std::fill_n(into.begin() + static_cast<int64_t>(c) * area, area, table_.value[c][fit.background]);
    kernels::resize_torch_cpu(image.rgb.data(), p, table_,
                              into.data() + int64_t{fit.top} * rule_.width + fit.left, area, rule_.width,
                              torch_scratch_);
  } else {
    if (!covers) std::fill(canvas_.begin(), canvas_.end(), fit.background);
    const int64_t row_bytes = int64_t{3} * rule_.width;
    kernels::resize_cpu(image.rgb.data(), canvas_.data() + fit.top * row_bytes + 3 * fit.left, row_bytes, p,
                        scratch_);
    kernels::normalize_cpu(canvas_.data(), area, table_, into.data());
  }
  return fit.geometry();
}

}  // namespace tyto
