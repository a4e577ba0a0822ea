#include "engine/self_test/noise.h"

#include <random>

namespace tyto {

Tensor noise(const Shape& shape, uint32_t seed, float low, float high) {
  Tensor t(DType::F32, shape);
  std::minstd_rand random(seed);  // the same numbers on every machine, unlike std::uniform_real_distribution
  const auto span = static_cast<float>(std::minstd_rand::max() - std::minstd_rand::min());
  for (float& v : t.as<float>())
    v = low + (high - low) * (static_cast<float>(random() - std::minstd_rand::min()) / span);
  return t;
}

}  // namespace tyto
