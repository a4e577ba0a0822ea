// Elements of double, float, Half and BFloat16 on the CPU, without the toolkit that defines the halves.
#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

#include "kernels/common/element_types.h"

namespace tyto::kernels {

// Element i of `from`.
inline double host_element(const double* from, int64_t i) { return from[i]; }
inline float host_element(const float* from, int64_t i) { return from[i]; }
inline float host_element(const Half* from, int64_t i) {
  return static_cast<float>(std::bit_cast<_Float16>(reinterpret_cast<const uint16_t*>(from)[i]));
}
inline float host_element(const BFloat16* from, int64_t i) {
  return std::bit_cast<float>(static_cast<uint32_t>(reinterpret_cast<const uint16_t*>(from)[i]) << 16);
}

// To nearest, ties to even; beyond fp16's range it is infinity.
inline void set_host_element(double* to, int64_t i, double v) { to[i] = v; }
inline void set_host_element(float* to, int64_t i, float v) { to[i] = v; }
inline void set_host_element(Half* to, int64_t i, float v) {
  reinterpret_cast<uint16_t*>(to)[i] = std::bit_cast<uint16_t>(static_cast<_Float16>(v));
}
inline void set_host_element(BFloat16* to, int64_t i, float v) {
  const auto bits = std::bit_cast<uint32_t>(v);
  const uint32_t rounded = v != v ? bits | 0x400000u : bits + 0x7fffu + (bits >> 16 & 1);
  reinterpret_cast<uint16_t*>(to)[i] = static_cast<uint16_t>(rounded >> 16);
}

// A pointer to element i, of a type that may not be counted in.
template <class T>
T* host_address(T* from, int64_t i) {
  using Element = std::remove_const_t<T>;
  if constexpr (std::is_same_v<Element, Half> || std::is_same_v<Element, BFloat16>)
    return reinterpret_cast<T*>(reinterpret_cast<uintptr_t>(from) + 2 * static_cast<uintptr_t>(i));
  else
    return from + i;
}

}  // namespace tyto::kernels
