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
}

Geometry Preprocessor::run(const Image& image, std::span<float> into) {
  check_image(image);
  const ImageFit fit = fit_image(rule_, image.width, image.height);
  if (static_cast<int64_t>(into.size()) != fit.values())
    throw Error(ErrorKind::Shape, fmt::format("the input of [3, {}, {}] has {} values, not {}", fit.height,
                                              fit.width, fit.values(), into.size()));
  const kernels::ResizeParams& p = fit.resize;
  const int64_t area = int64_t{fit.height} * fit.width;
  const bool covers = fit.covers();
  if (!kernels::gives_bytes(rule_.resampling)) {
    for (size_t c = 0; c < 3 && !covers; ++c)
      std::fill_n(into.begin() + static_cast<int64_t>(c) * area, area,
                  fit.background ? table_.value[c][*fit.background] : 0.0f);
    kernels::resize_bilinear_cpu(image.rgb.data(), p, table_,
                                 into.data() + int64_t{fit.top} * fit.width + fit.left, area, fit.width,
                                 bilinear_scratch_);
  } else {
    canvas_.resize(into.size());
    if (!covers) std::fill(canvas_.begin(), canvas_.end(), fit.background.value());
    const int64_t row_bytes = int64_t{3} * fit.width;
    kernels::resize_cpu(image.rgb.data(), canvas_.data() + fit.top * row_bytes + 3 * fit.left, row_bytes, p,
                        scratch_);
    kernels::normalize_cpu(canvas_.data(), area, table_, into.data());
  }
  return fit.geometry();
}

}  // namespace tyto
