#include "engine/cuda/stand_ins/elements.h"

#include <bit>
#include <cmath>

#include "engine/cuda/convolution.h"
#include "engine/cuda/element_type.h"

namespace tyto::cuda {
namespace {

constexpr int64_t kWorthThreads = 1 << 15;  // elements

float tf32(float value) {
  constexpr uint32_t kDropped = 23 - 10;
  if (!std::isfinite(value)) return value;
  const uint32_t bits = std::bit_cast<uint32_t>(value) + (1u << (kDropped - 1));
  return std::bit_cast<float>(bits >> kDropped << kDropped);
}

}  // namespace

void load_operands(const void* elements, Precision precision, int64_t count, float* values) {
  with_element_type(activation_type(precision), [&]<class T>() {
    const T* from = static_cast<const T*>(elements);
#pragma omp parallel for if (count > kWorthThreads)
    for (int64_t i = 0; i < count; ++i) {
      const float value = static_cast<float>(from[i]);
      values[i] = precision == Precision::Tf32 ? tf32(value) : value;
    }
  });
}

void store_results(const float* sums, const Epilogue& epilogue, DType type, int64_t pixels, int64_t outputs,
                   void* results) {
  with_element_type(type, [&]<class T>() {
    const T *residual = static_cast<const T*>(epilogue.residual),
            *bias = static_cast<const T*>(epilogue.bias);
    T* to = static_cast<T*>(results);
#pragma omp parallel for if (pixels * outputs > kWorthThreads)
    for (int64_t p = 0; p < pixels; ++p) {
      for (int64_t k = 0; k < outputs; ++k) {
        const int64_t i = p * outputs + k;
        float value = sums[i];
        if (residual) value += static_cast<float>(residual[i]);
        if (bias) value += static_cast<float>(bias[k]);
        to[i] = static_cast<T>(epilogue.relu && value < 0 ? 0.0f : value);
      }
    }
  });
}

}  // namespace tyto::cuda
