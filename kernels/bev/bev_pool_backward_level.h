// The body of bev_pool_backward_<level>.cpp, each of which defines TYTO_LEVEL, the namespace; TYTO_BYTES, of
// a vector; TYTO_VECTORS, of a row, that fit into the registers twice. It is compiled with the level's
// instructions: nothing here may come from a header whose functions others share.
#include "kernels/bev/bev_pool_backward_rows.h"

namespace tyto::kernels::TYTO_LEVEL {
namespace {

constexpr int kVectors = TYTO_VECTORS;

template <class C>
struct Of {
  static constexpr int64_t kLanes = TYTO_BYTES / sizeof(C);
  typedef C Vector __attribute__((vector_size(TYTO_BYTES)));
  typedef C AnyVector __attribute__((vector_size(TYTO_BYTES), aligned(alignof(C)), may_alias));
};
typedef float Four __attribute__((vector_size(16)));
typedef double Two __attribute__((vector_size(16)));

// Half a vector with the other half added.
#if TYTO_BYTES == 64
typedef float Eight __attribute__((vector_size(32)));
typedef double FourOfDouble __attribute__((vector_size(32)));
typedef float Sixteen __attribute__((vector_size(64)));
typedef double EightOfDouble __attribute__((vector_size(64)));
inline void fold(const Sixteen& v, Eight& half) {
  half = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) +
         __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
}
inline void fold(const EightOfDouble& v, FourOfDouble& half) {
  half = __builtin_shufflevector(v, v, 0, 1, 2, 3) + __builtin_shufflevector(v, v, 4, 5, 6, 7);
}
#elif TYTO_BYTES == 32
typedef float Eight __attribute__((vector_size(32)));
typedef double FourOfDouble __attribute__((vector_size(32)));
#endif
#if TYTO_BYTES >= 32
inline void fold(const Eight& v, Four& half) {
  half = __builtin_shufflevector(v, v, 0, 1, 2, 3) + __builtin_shufflevector(v, v, 4, 5, 6, 7);
}
inline void fold(const FourOfDouble& v, Two& half) {
  half = __builtin_shufflevector(v, v, 0, 1) + __builtin_shufflevector(v, v, 2, 3);
}
#endif
inline void fold(const Four& v, Four& same) { same = v; }
inline void fold(const Two& v, Two& same) { same = v; }
#if TYTO_BYTES == 64
inline void fold(const Sixteen& v, Four& quarter) {
  Eight half;
  fold(v, half);
  fold(half, quarter);
}
inline void fold(const EightOfDouble& v, Two& quarter) {
  FourOfDouble half;
  fold(v, half);
  fold(half, quarter);
}
#endif

// Sums of four vectors, added to slopes[4].
template <class Vector>
void add_sums(const Vector (&v)[kPointsAtOnce], float* slopes) {
  typedef float Any __attribute__((vector_size(16), aligned(4), may_alias));
  Four a, b, c, d;
  fold(v[0], a);
  fold(v[1], b);
  fold(v[2], c);
  fold(v[3], d);
  const Four ab = __builtin_shufflevector(a, b, 0, 4, 1, 5) + __builtin_shufflevector(a, b, 2, 6, 3, 7);
  const Four cd = __builtin_shufflevector(c, d, 0, 4, 1, 5) + __builtin_shufflevector(c, d, 2, 6, 3, 7);
  *reinterpret_cast<Any*>(slopes) +=
      __builtin_shufflevector(ab, cd, 0, 1, 4, 5) + __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
}
template <class Vector>
void add_sums(const Vector (&v)[kPointsAtOnce], double* slopes) {
  for (int i = 0; i < kPointsAtOnce; ++i) {
    Two a;
    fold(v[i], a);
    slopes[i] += a[0] + a[1];
  }
}

// Channels first .. first + Vectors * lanes - 1.
template <class C, int Vectors>
void pass(const PixelPoints<C>& points, const C* features, int64_t first, C* spread, C* slopes) {
  using Vector = typename Of<C>::Vector;
  using AnyVector = typename Of<C>::AnyVector;
  constexpr int64_t kLanes = Of<C>::kLanes;
  Vector feature[Vectors], sum[Vectors] = {};
#pragma GCC unroll 8
  for (int v = 0; v < Vectors; ++v)
    feature[v] = *reinterpret_cast<const AnyVector*>(features + first + v * kLanes);
  for (int64_t k = 0; k < points.count; k += kPointsAtOnce) {
    Vector products[kPointsAtOnce];
#pragma GCC unroll 4
    for (int i = 0; i < kPointsAtOnce; ++i) {
      const C* const row = points.rows[k + i] + first;
      const C weight = points.weights[k + i];
      Vector product = {};
#pragma GCC unroll 8
      for (int v = 0; v < Vectors; ++v) {
        const Vector slope = *reinterpret_cast<const AnyVector*>(row + v * kLanes);
        product += feature[v] * slope;
        sum[v] += weight * slope;
      }
      products[i] = product;
    }
    add_sums(products, slopes + k);
  }
#pragma GCC unroll 8
  for (int v = 0; v < Vectors; ++v) *reinterpret_cast<AnyVector*>(spread + first + v * kLanes) = sum[v];
}

template <class C>
void spread_rows(const PixelPoints<C>& points, const C* features, int64_t channels, C* spread, C* slopes) {
  constexpr int64_t kAll = kVectors * Of<C>::kLanes;
  static_assert(kAll % kRowUnit == 0 || kRowUnit % kAll == 0);
  for (int64_t k = 0; k < points.count; ++k) slopes[k] = 0;
  int64_t first = 0;
  for (; first + kAll <= channels; first += kAll) pass<C, kVectors>(points, features, first, spread, slopes);
  for (; first < channels; first += kRowUnit)
    pass<C, kRowUnit / Of<C>::kLanes>(points, features, first, spread, slopes);
}

}  // namespace

extern const BevPoolBackwardLevel<float> kBevPoolBackwardFloat;
extern const BevPoolBackwardLevel<double> kBevPoolBackwardDouble;
const BevPoolBackwardLevel<float> kBevPoolBackwardFloat = {TYTO_NAME, spread_rows<float>};
const BevPoolBackwardLevel<double> kBevPoolBackwardDouble = {TYTO_NAME, spread_rows<double>};

}  // namespace tyto::kernels::TYTO_LEVEL
