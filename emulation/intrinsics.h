// CUDA's arithmetic functions that the host's headers lack. Fast approximations (__expf, ...) are computed
// exactly rounded or nearly so here: the emulation does not show what they lose.
#pragma once

#include <math.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdlib>

// Loads and stores with a cache hint: plain ones here, inline, where an instrument sees them.
template <class T>
T __ldg(const T* p) {
  return *p;
}
template <class T>
T __ldca(const T* p) {
  return *p;
}
template <class T>
T __ldcg(const T* p) {
  return *p;
}
template <class T>
T __ldcs(const T* p) {
  return *p;
}
template <class T>
void __stcg(T* p, T value) {
  *p = value;
}
template <class T>
void __stcs(T* p, T value) {
  *p = value;
}

// Bits
inline int __float_as_int(float v) { return std::bit_cast<int>(v); }
inline unsigned __float_as_uint(float v) { return std::bit_cast<unsigned>(v); }
inline float __int_as_float(int v) { return std::bit_cast<float>(v); }
inline float __uint_as_float(unsigned v) { return std::bit_cast<float>(v); }
inline long long __double_as_longlong(double v) { return std::bit_cast<long long>(v); }
inline double __longlong_as_double(long long v) { return std::bit_cast<double>(v); }
inline int __popc(unsigned v) { return std::popcount(v); }
inline int __popcll(unsigned long long v) { return std::popcount(v); }
inline int __clz(int v) { return std::countl_zero(static_cast<unsigned>(v)); }
inline int __clzll(long long v) { return std::countl_zero(static_cast<unsigned long long>(v)); }
inline int __ffs(int v) { return __builtin_ffs(v); }
inline int __ffsll(long long v) { return __builtin_ffsll(v); }
inline unsigned __brev(unsigned v) {
  unsigned reversed = 0;
  for (int bit = 0; bit < 32; ++bit) reversed |= (v >> bit & 1) << (31 - bit);
  return reversed;
}
inline unsigned __byte_perm(unsigned low, unsigned high, unsigned selector) {
  const uint64_t bytes = uint64_t{high} << 32 | low;
  unsigned picked = 0;
  for (int i = 0; i < 4; ++i)
    picked |= static_cast<unsigned>(bytes >> 8 * (selector >> 4 * i & 7) & 0xff) << 8 * i;
  return picked;
}
inline unsigned __funnelshift_l(unsigned low, unsigned high, unsigned shift) {
  return static_cast<unsigned>((uint64_t{high} << 32 | low) << (shift & 31) >> 32);
}
inline unsigned __funnelshift_r(unsigned low, unsigned high, unsigned shift) {
  return static_cast<unsigned>((uint64_t{high} << 32 | low) >> (shift & 31));
}

// Integers
inline int __mulhi(int a, int b) { return static_cast<int>(int64_t{a} * b >> 32); }
inline unsigned __umulhi(unsigned a, unsigned b) { return static_cast<unsigned>(uint64_t{a} * b >> 32); }
__extension__ inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
  return static_cast<unsigned long long>(static_cast<unsigned __int128>(a) * b >> 64);
}

#define TYTO_MIN_MAX(type)                                  \
  inline type min(type a, type b) { return b < a ? b : a; } \
  inline type max(type a, type b) { return a < b ? b : a; }
TYTO_MIN_MAX(int)
TYTO_MIN_MAX(unsigned)
TYTO_MIN_MAX(long)
TYTO_MIN_MAX(unsigned long)
TYTO_MIN_MAX(long long)
TYTO_MIN_MAX(unsigned long long)
#undef TYTO_MIN_MAX
inline unsigned min(int a, unsigned b) { return min(static_cast<unsigned>(a), b); }
inline unsigned min(unsigned a, int b) { return min(a, static_cast<unsigned>(b)); }
inline unsigned max(int a, unsigned b) { return max(static_cast<unsigned>(a), b); }
inline unsigned max(unsigned a, int b) { return max(a, static_cast<unsigned>(b)); }

// A NaN loses, as in fminf and fmaxf.
inline float min(float a, float b) { return std::fmin(a, b); }
inline float max(float a, float b) { return std::fmax(a, b); }
inline double min(double a, double b) { return std::fmin(a, b); }
inline double max(double a, double b) { return std::fmax(a, b); }

// Floating point, rounded to nearest and never fused
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline float __frcp_rn(float v) { return 1 / v; }
inline float __fsqrt_rn(float v) { return std::sqrt(v); }
inline float __frsqrt_rn(float v) { return static_cast<float>(1 / std::sqrt(double{v})); }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __dsub_rn(double a, double b) { return a - b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline double __ddiv_rn(double a, double b) { return a / b; }
inline double __fma_rn(double a, double b, double c) { return std::fma(a, b, c); }
inline double __dsqrt_rn(double v) { return std::sqrt(v); }
inline float rsqrtf(float v) { return static_cast<float>(1 / std::sqrt(double{v})); }
inline double rsqrt(double v) { return 1 / std::sqrt(v); }
inline float __saturatef(float v) { return v > 0 ? v < 1 ? v : 1.0f : 0.0f; }  // NaN: 0
inline float __fdividef(float a, float b) { return a / b; }
inline float __expf(float v) { return std::exp(v); }
inline float __exp10f(float v) { return std::pow(10.0f, v); }
inline float __logf(float v) { return std::log(v); }
inline float __log2f(float v) { return std::log2(v); }
inline float __log10f(float v) { return std::log10(v); }
inline float __powf(float a, float b) { return std::pow(a, b); }
inline float __sinf(float v) { return std::sin(v); }
inline float __cosf(float v) { return std::cos(v); }
inline float __tanf(float v) { return std::tan(v); }
inline float __tanhf(float v) { return std::tanh(v); }

// Conversions to integers saturate, and NaN becomes 0.
namespace emulation {
template <class I, class F>
I saturated(F v) {
  const auto limit = std::ldexp(F{1}, static_cast<int>(sizeof(I)) * 8 - (static_cast<I>(-1) < 0));
  if (v != v) return 0;
  if (v >= limit)
    return static_cast<I>(-1) < 0 ? static_cast<I>(~(I{1} << (sizeof(I) * 8 - 1))) : static_cast<I>(-1);
  if (static_cast<I>(-1) < 0 ? v < -limit : v < 0)
    return static_cast<I>(-1) < 0 ? static_cast<I>(I{1} << (sizeof(I) * 8 - 1)) : I{0};
  return static_cast<I>(v);
}
}  // namespace emulation
inline int __float2int_rn(float v) { return emulation::saturated<int>(std::nearbyint(v)); }
inline int __float2int_rz(float v) { return emulation::saturated<int>(v); }
inline int __float2int_rd(float v) { return emulation::saturated<int>(std::floor(v)); }
inline int __float2int_ru(float v) { return emulation::saturated<int>(std::ceil(v)); }
inline unsigned __float2uint_rn(float v) { return emulation::saturated<unsigned>(std::nearbyint(v)); }
inline unsigned __float2uint_rz(float v) { return emulation::saturated<unsigned>(std::trunc(v)); }
inline long long __float2ll_rn(float v) { return emulation::saturated<long long>(std::nearbyint(v)); }
inline long long __float2ll_rd(float v) { return emulation::saturated<long long>(std::floor(v)); }
inline int __double2int_rn(double v) { return emulation::saturated<int>(std::nearbyint(v)); }
inline int __double2int_rz(double v) { return emulation::saturated<int>(v); }
inline long long __double2ll_rn(double v) { return emulation::saturated<long long>(std::nearbyint(v)); }
inline float __int2float_rn(int v) { return static_cast<float>(v); }
inline float __uint2float_rn(unsigned v) { return static_cast<float>(v); }
inline float __ll2float_rn(long long v) { return static_cast<float>(v); }
inline double __int2double_rn(int v) { return v; }
inline float __double2float_rn(double v) { return static_cast<float>(v); }
