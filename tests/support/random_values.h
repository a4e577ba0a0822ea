// Tensors and images of random values, the same on every run.
#pragma once

#include <cstdint>
#include <random>

#include "tyto/image.h"
#include "tyto/tensor.h"

namespace tyto {

inline Tensor noise(const Shape& shape, uint32_t seed, float low = -1, float high = 1) {
  Tensor t(DType::F32, shape);
  std::minstd_rand random(seed * 7919 + 1);
  for (float& v : t.as<float>())
    v = low + (high - low) * static_cast<float>(random() - 1) / static_cast<float>(std::minstd_rand::max());
  return t;
}

inline Image picture(uint32_t seed, int width = 40, int height = 50) {
  Image image{width, height, {}};
  const Tensor pixels = noise({height, width, 3}, seed, 0, 255.9f);
  for (float v : pixels.as<float>()) image.rgb.push_back(static_cast<uint8_t>(v));
  return image;
}

}  // namespace tyto
