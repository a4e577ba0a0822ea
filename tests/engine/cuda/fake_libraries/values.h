// Elements of device memory as the numbers that the fakes compute with.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace fake {

enum class Type { Float, Half, BFloat16 };

inline size_t size_of(Type type) { return type == Type::Float ? 4 : 2; }

inline float load(const void* data, int64_t index, Type type) {
  switch (type) {
    case Type::Half:
      return __half2float(static_cast<const __half*>(data)[index]);
    case Type::BFloat16:
      return __bfloat162float(static_cast<const __nv_bfloat16*>(data)[index]);
    default:
      return static_cast<const float*>(data)[index];
  }
}

inline void store(void* data, int64_t index, Type type, float value) {
  switch (type) {
    case Type::Half:
      static_cast<__half*>(data)[index] = __float2half(value);
      return;
    case Type::BFloat16:
      static_cast<__nv_bfloat16*>(data)[index] = __float2bfloat16(value);
      return;
    default:
      static_cast<float*>(data)[index] = value;
  }
}

// As a tensor core takes an operand of fp32: 10 bits of its mantissa.
inline float tf32(float value) {
  if (!std::isfinite(value)) return value;
  return std::bit_cast<float>((std::bit_cast<uint32_t>(value) + (1u << 12)) >> 13 << 13);
}

}  // namespace fake
