// What a pixel's gradients are made of on the CPU: the rows of the gradient that its points fall on.
#pragma once

#include <cstdint>

namespace tyto::kernels {

// C: float or double.
template <class C>
struct PixelPoints {
  int64_t count = 0;               // a multiple of kPointsAtOnce; those behind the last have a row of 0
  const C* const* rows = nullptr;  // [count], each [channels]
  const C* weights = nullptr;      // [count]
};

inline constexpr int64_t kPointsAtOnce = 4;
inline constexpr int64_t kRowUnit = 16;  // channels are a multiple of it: no vector has a rest

// One level of instructions.
template <class C>
struct BevPoolBackwardLevel {
  const char* name;
  // spread[channels] = the sum of weight * row; slopes[count] = the products of feature and row, summed.
  void (*spread)(const PixelPoints<C>&, const C* features, int64_t channels, C* spread, C* slopes);
};

// The levels that this CPU has, the best last; returns how many.
template <class C>
int bev_pool_backward_levels(BevPoolBackwardLevel<C> (&levels)[3]);

}  // namespace tyto::kernels
