// Elements of float, Half and BFloat16 in and out of fp32, and integers into it, one by one or as the 16
// bytes that one thread moves best.
#pragma once

#include <cstdint>
#include <cstring>

#include "kernels/common/cuda.h"
#include "kernels/common/element_types.h"

namespace tyto::kernels {

// Elements in 16 bytes: 4 floats, 8 halves.
template <class T>
inline constexpr int kPack = 16 / static_cast<int>(sizeof(T));

__host__ __device__ inline float as_float(float v) { return v; }
__host__ __device__ inline float as_float(Half v) { return __half2float(v); }
__host__ __device__ inline float as_float(BFloat16 v) { return __bfloat162float(v); }
__host__ __device__ inline float as_float(int32_t v) { return static_cast<float>(v); }

// To nearest, ties to even; beyond fp16's range it is infinity.
template <class T>
__host__ __device__ T from_float(float v);
template <>
__host__ __device__ inline float from_float(float v) {
  return v;
}
template <>
__host__ __device__ inline Half from_float(float v) {
  return __float2half_rn(v);
}
template <>
__host__ __device__ inline BFloat16 from_float(float v) {
  return __float2bfloat16_rn(v);
}

// N values that move at once.
template <class T, int N>
struct alignas(N * sizeof(T)) Pack {
  T values[N];
};

// One instruction on the GPU, and, which an assignment would not be, one access to the instrument.
// References, because UBSan looks at their alignment.
template <class P>
__device__ inline void copy_pack(const P& from, P& to) {
  memcpy(__builtin_assume_aligned(static_cast<void*>(&to), sizeof(P)),
         __builtin_assume_aligned(static_cast<const void*>(&from), sizeof(P)), sizeof(P));
}

namespace detail {

template <class T, int N>
inline constexpr int kAtOnce = N < kPack<T> ? N : kPack<T>;

}  // namespace detail

// N elements from `from` on, which is aligned to all of them or to 16 bytes; N a power of two.
template <int N, class T>
__device__ inline void load(const T* from, float (&to)[N]) {
  constexpr int kAtOnce = detail::kAtOnce<T, N>;
#pragma unroll
  for (int first = 0; first < N; first += kAtOnce) {
    Pack<T, kAtOnce> pack;
    copy_pack(*reinterpret_cast<const decltype(pack)*>(from + first), pack);
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) to[first + i] = as_float(pack.values[i]);
  }
}

// Aligned like load's.
template <int N, class T>
__device__ inline void store(const float (&from)[N], T* to) {
  constexpr int kAtOnce = detail::kAtOnce<T, N>;
#pragma unroll
  for (int first = 0; first < N; first += kAtOnce) {
    Pack<T, kAtOnce> pack;
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) pack.values[i] = from_float<T>(from[first + i]);
    copy_pack(pack, *reinterpret_cast<decltype(pack)*>(to + first));
  }
}

// Whether rows of `channels` elements at these addresses can be moved N at a time; a null pointer is no
// hindrance.
template <int N, class... T>
bool packable(int64_t channels, const T*... pointers) {
  return channels % N == 0 &&
         ((reinterpret_cast<uintptr_t>(pointers) % (N * sizeof(T) < 16 ? N * sizeof(T) : 16) == 0) && ...);
}

}  // namespace tyto::kernels
