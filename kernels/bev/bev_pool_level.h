// The body of bev_pool_<level>.cpp, each of which defines TYTO_LEVEL, the namespace; TYTO_BYTES, of a vector;
// TYTO_VECTORS, sums that fit into the registers. It is compiled with the level's instructions: nothing here
// may come from a header whose functions others share.
#include "kernels/bev/bev_pool_cells.h"

namespace tyto::kernels::TYTO_LEVEL {
namespace {

constexpr int kVectors = TYTO_VECTORS;

template <class C>
struct Of {
  static constexpr int64_t kLanes = TYTO_BYTES / sizeof(C);
  typedef C Vector __attribute__((vector_size(TYTO_BYTES), may_alias));
};

template <class C>
const C* weights_of(const BevTileColumn<C>& column, const BevTileRun& run) {
  return column.weights + run.first_row * column.weight_stride + run.bin - column.first_bin;
}
template <class C>
const C* features_of(const BevTileColumn<C>& column, const BevTileRun& run) {
  return column.features + run.first_row * column.channels;
}

using Floats = Of<float>::Vector;
typedef int32_t Ints __attribute__((vector_size(TYTO_BYTES)));

// e^x of x <= 0, as exponential() has it; 0 below -87.
[[gnu::always_inline]] inline Floats power(Floats x) {
  constexpr float kLow = -87.0f, kLog2E = 1.44269504f, kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;
  constexpr float kToNearest = 12582912.0f;  // 1.5 * 2^23: a sum with it has no bits behind the point
  const Floats shifted = x * kLog2E + kToNearest, n = shifted - kToNearest;
  const Floats r = (x - n * kLn2High) - n * kLn2Low;
  Floats p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  constexpr int kExponentBias = 127, kMantissaBits = 23;
  const Ints exponent = (reinterpret_cast<Ints>(shifted) + kExponentBias) << kMantissaBits;
  return x < kLow ? Floats{} : p * reinterpret_cast<Floats>(exponent);
}

void softmax_of_floats(float* bins, int64_t width) {
  constexpr int64_t kLanes = Of<float>::kLanes;
  Floats* v = reinterpret_cast<Floats*>(bins);
  const int64_t vectors = width / kLanes;
  Floats largest = v[0], sum = {};
  for (int64_t k = 1; k < vectors; ++k) largest = v[k] > largest ? v[k] : largest;
  float most = largest[0], total = 0;
  for (int64_t l = 1; l < kLanes; ++l) most = largest[l] > most ? largest[l] : most;
  for (int64_t k = 0; k < vectors; ++k) sum += v[k] = power(v[k] - most);
  for (int64_t l = 0; l < kLanes; ++l) total += sum[l];
  const float by = 1 / total;
  for (int64_t k = 0; k < vectors; ++k) v[k] *= by;
}

// Vectors x Chains registers of sums, of the channels from `first` on. Rows of a run take chains in turn, for
// a sum waits for the one before.
template <class C, int Vectors, int Chains>
void sum_channels(const BevTileColumn<C>& column, int64_t first, C* cells) {
  using Vector = typename Of<C>::Vector;
  for (int64_t r = 0; r < column.count; ++r) {
    const BevTileRun& run = column.runs[r];
    const C *weight = weights_of(column, run), *feature = features_of(column, run) + first;
    Vector* to = reinterpret_cast<Vector*>(cells + run.cell * column.channels + first);
    Vector sum[Chains][Vectors] = {};
#pragma GCC unroll 16
    for (int v = 0; v < Vectors; ++v) sum[0][v] = to[v];
    int64_t i = 0;
    for (; i + Chains <= run.rows; i += Chains)
#pragma GCC unroll 4
      for (int chain = 0; chain < Chains; ++chain) {
#pragma GCC unroll 16
        for (int v = 0; v < Vectors; ++v)
          sum[chain][v] += *weight * reinterpret_cast<const Vector*>(feature)[v];
        weight += column.weight_stride;
        feature += column.channels;
      }
    for (; i < run.rows; ++i) {
#pragma GCC unroll 16
      for (int v = 0; v < Vectors; ++v) sum[0][v] += *weight * reinterpret_cast<const Vector*>(feature)[v];
      weight += column.weight_stride;
      feature += column.channels;
    }
#pragma GCC unroll 16
    for (int v = 0; v < Vectors; ++v) {
      Vector all = sum[0][v];
#pragma GCC unroll 4
      for (int chain = 1; chain < Chains; ++chain) all += sum[chain][v];
      to[v] = all;
    }
  }
}

template <class C>
using Sum = void (*)(const BevTileColumn<C>&, int64_t, C*);

template <class C>
struct Sums {
  Sum<C> of[kVectors];

  template <int Vectors>
  constexpr void fill() {
    constexpr int kChains = kVectors / Vectors < 4 ? kVectors / Vectors : 4;
    of[Vectors - 1] = sum_channels<C, Vectors, kChains>;
    if constexpr (Vectors > 1) fill<Vectors - 1>();
  }
  constexpr Sums() : of{} { fill<kVectors>(); }
};
template <class C>
constexpr Sums<C> kSums;

template <class C>
void sum_column(const BevTileColumn<C>& column, C* cells) {
  constexpr int64_t kLanes = Of<C>::kLanes;
  const int64_t vectors = column.channels / kLanes, passes = (vectors + kVectors - 1) / kVectors;
  for (int64_t pass = 0; pass < passes; ++pass) {  // as equal as they can be
    const int64_t first = vectors * pass / passes, end = vectors * (pass + 1) / passes;
    kSums<C>.of[end - first - 1](column, first * kLanes, cells);
  }
}

template <class C>
void largest_of_column(const BevTileColumn<C>& column, const int32_t* orders, C* cells, int32_t* winners) {
  for (int64_t r = 0; r < column.count; ++r) {
    const BevTileRun& run = column.runs[r];
    C* best = cells + run.cell * column.channels;
    int32_t* won = winners + run.cell * column.channels;
    for (int32_t i = 0; i < run.rows; ++i) {
      const C weight = weights_of(column, run)[i * column.weight_stride];
      const C* feature = features_of(column, run) + i * column.channels;
      const int32_t order = orders[r] + i;
      for (int64_t c = 0; c < column.channels; ++c) {
        const C v = weight * feature[c];
        const bool nan = v != v, had_nan = best[c] != best[c];
        const bool larger = v > best[c] || (nan && !had_nan), equal = v == best[c] || (nan && had_nan);
        const bool wins = won[c] < 0 || larger || (equal && order < won[c]);
        best[c] = wins ? v : best[c];
        won[c] = wins ? order : won[c];
      }
    }
  }
}

}  // namespace

extern const BevPoolLevel<float> kBevPoolFloat;
extern const BevPoolLevel<double> kBevPoolDouble;
const BevPoolLevel<float> kBevPoolFloat = {TYTO_NAME, softmax_of_floats, sum_column<float>,
                                           largest_of_column<float>};
const BevPoolLevel<double> kBevPoolDouble = {TYTO_NAME, nullptr, sum_column<double>,
                                             largest_of_column<double>};

}  // namespace tyto::kernels::TYTO_LEVEL
