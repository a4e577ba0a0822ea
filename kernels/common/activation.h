// What a layer applies to each of its results.
#pragma once

#include <cstdint>

#include "kernels/common/host_device.h"

namespace tyto::kernels {

enum class Activation : uint8_t {
  None,
  Relu,
  Relu6,
  HardSigmoid,  // clamp(x / 6 + 1/2, 0, 1)
  HardSwish,    // x * HardSigmoid(x)   (Howard et al., ICCV 2019)
};

// NaN stays NaN, as in torch.
TYTO_HOST_DEVICE inline float activate(float x, Activation activation) {
  const auto clamp = [](float v, float low, float high) { return v < low ? low : v > high ? high : v; };
  switch (activation) {
    case Activation::None:
      return x;
    case Activation::Relu:
      return x < 0 ? 0.0f : x;
    case Activation::Relu6:
      return clamp(x, 0.0f, 6.0f);
    case Activation::HardSigmoid:
      return clamp(x * (1.0f / 6) + 0.5f, 0.0f, 1.0f);
    case Activation::HardSwish:
      return x * clamp(x * (1.0f / 6) + 0.5f, 0.0f, 1.0f);
  }
  return x;
}

}  // namespace tyto::kernels
