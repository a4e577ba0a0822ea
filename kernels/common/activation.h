// What a layer applies to each of its results.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/common/host_device.h"

namespace tyto::kernels {

enum class Activation : uint8_t {
  None,
  Relu,
  Relu6,
  HardSigmoid,  // clamp(x / 6 + 1/2, 0, 1)
  HardSwish,    // x * HardSigmoid(x)   (Howard et al., ICCV 2019)
  Sigmoid,      // 1 / (1 + e^-x)
  Tanh,
  Silu,      // x * Sigmoid(x), Swish
  GeluErf,   // x * (1 + erf(x / sqrt(2))) / 2   (Hendrycks and Gimpel 2016), torch's gelu
  GeluTanh,  // x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) / 2, torch's gelu of approximate='tanh'
};

// 0 where e^-x overflows.
TYTO_HOST_DEVICE inline float sigmoid(float x) { return 1.0f / (1.0f + std::exp(-x)); }

// Calls body(f), f being the activation as a function of a float: one branch for all values that the body
// has. f(NaN) is NaN, as in torch; f of any finite value is finite.
template <class Body>
TYTO_HOST_DEVICE inline void with_activation(Activation activation, const Body& body) {
  const auto hard_sigmoid = [](float v) {
    const float y = v * (1.0f / 6) + 0.5f;
    return y < 0.0f ? 0.0f : y > 1.0f ? 1.0f : y;
  };
  switch (activation) {
    case Activation::None:
      return body([](float v) { return v; });
    case Activation::Relu:
      return body([](float v) { return v < 0.0f ? 0.0f : v; });
    case Activation::Relu6:
      return body([](float v) { return v < 0.0f ? 0.0f : v > 6.0f ? 6.0f : v; });
    case Activation::HardSigmoid:
      return body(hard_sigmoid);
    case Activation::HardSwish:
      return body([=](float v) { return v * hard_sigmoid(v); });
    case Activation::Sigmoid:
      return body([](float v) { return sigmoid(v); });
    case Activation::Tanh:
      return body([](float v) { return std::tanh(v); });
    case Activation::Silu:
      return body([](float v) { return v * sigmoid(v); });
    case Activation::GeluErf:
      return body([](float v) { return 0.5f * v * (1.0f + std::erf(v * 0.707106781f)); });
    case Activation::GeluTanh:  // (1 + tanh(u)) / 2 is sigmoid(2 u)
      return body([](float v) { return v * sigmoid(1.59576912f * (v + 0.044715f * v * v * v)); });
  }
}

template <int N>
TYTO_HOST_DEVICE inline void activate(float (&values)[N], Activation activation) {
  with_activation(activation, [&](const auto& f) {
    for (float& v : values) v = f(v);
  });
}

}  // namespace tyto::kernels
