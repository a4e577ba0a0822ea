// Decoded images to batches of network input.
#pragma once

#include <algorithm>
#include <functional>
#include <span>
#include <vector>

#include "engine/preprocessing.h"
#include "tyto/tensor.h"

namespace tyto {

// Calls run(input [batch, 3, H, W], index of its first image, where each of its images went) for one batch after the
// other; rows that hold no image are zero.
inline void for_each_batch(Preprocessor& preprocessor, std::span<const Image> images, int batch,
                           const std::function<void(const Tensor&, size_t, std::span<const Geometry>)>& run) {
  const Preprocessing& rule = preprocessor.rule();
  Tensor input = Tensor::zeros(DType::F32, {batch, 3, rule.height, rule.width});
  const size_t rows = static_cast<size_t>(batch), size = static_cast<size_t>(input.elements()) / rows;
  std::vector<Geometry> geometry;
  for (size_t first = 0; first < images.size(); first += rows) {
    const size_t count = std::min(rows, images.size() - first);
    geometry.clear();
    for (size_t i = 0; i < count; ++i)
      geometry.push_back(preprocessor.run(images[first + i], input.as<float>().subspan(i * size, size)));
    std::ranges::fill(input.as<float>().subspan(count * size), 0.0f);
    run(input, first, geometry);
  }
}

}  // namespace tyto
