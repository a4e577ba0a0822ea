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
  typedef C Vector __attribute__((vector_size(TYTO_BYTES), may_alias));  // packed rows are aligned
  typedef C AnyVector __attribute__((vector_size(TYTO_BYTES), aligned(alignof(C)), may_alias));
};

template <class C>
struct Run {
  const C* weights;
  const C* features;
  int64_t rows;
  int32_t first_point;  // in BevIndex::cells; rows lie `width` apart
};

// Quotients by a product: n / d is at least 1 / 2d away from the next integer for n + 1/2.
template <class C>
[[gnu::always_inline]] inline Run<C> find(const PackedMaps<C>& m, const BevRun& run) {
  const auto depth = static_cast<int32_t>((run.column + 0.5) * m.per_column);  // camera * bins + bin
  const auto camera = static_cast<int32_t>((depth + 0.5) * m.per_bin);
  const int32_t column = run.column - depth * m.width, bin = depth - camera * m.bins;
  const int64_t panel = int64_t{camera} * m.width + column;
  return {m.weights + (panel * m.bins + bin) * m.height + run.first_row,
          m.features + (panel * m.height + run.first_row) * m.channels, run.rows,
          (depth * m.height + run.first_row) * m.width + column};
}

// Vectors x Chains registers of sums; rows of a run take chains in turn, for a sum waits for the one before.
template <class C, int Vectors, int Chains>
void sum_channels(const PackedMaps<C>& m, const BevRun* runs, int64_t count, int64_t first, C factor, C* to) {
  using Vector = typename Of<C>::Vector;
  constexpr int64_t kLanes = Of<C>::kLanes;
  Vector sum[Chains][Vectors] = {};
  for (int64_t r = 0; r < count; ++r) {
    const Run<C> run = find(m, runs[r]);
    const C* feature = run.features + first;
    int64_t i = 0;
    for (; i + Chains <= run.rows; i += Chains)
#pragma GCC unroll 4
      for (int chain = 0; chain < Chains; ++chain, feature += m.channels) {
        const C weight = run.weights[i + chain];
#pragma GCC unroll 16
        for (int v = 0; v < Vectors; ++v)
          sum[chain][v] += weight * reinterpret_cast<const Vector*>(feature)[v];
      }
    for (; i < run.rows; ++i, feature += m.channels) {
      const C weight = run.weights[i];
#pragma GCC unroll 16
      for (int v = 0; v < Vectors; ++v) sum[0][v] += weight * reinterpret_cast<const Vector*>(feature)[v];
    }
  }
#pragma GCC unroll 16
  for (int v = 0; v < Vectors; ++v) {
    Vector all = sum[0][v];
#pragma GCC unroll 4
    for (int chain = 1; chain < Chains; ++chain) all += sum[chain][v];
    *reinterpret_cast<typename Of<C>::AnyVector*>(to + first + v * kLanes) = factor * all;
  }
}

template <class C>
using Sum = void (*)(const PackedMaps<C>&, const BevRun*, int64_t, int64_t, C, C*);

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
void sum_runs(const PackedMaps<C>& m, const BevRun* runs, int64_t count, C factor, C* to) {
  constexpr int64_t kLanes = Of<C>::kLanes;
  const int64_t vectors = m.channels / kLanes, passes = (vectors + kVectors - 1) / kVectors;
  for (int64_t pass = 0; pass < passes; ++pass) {  // as equal as they can be
    const int64_t first = vectors * pass / passes, end = vectors * (pass + 1) / passes;
    kSums<C>.of[end - first - 1](m, runs, count, first * kLanes, factor, to);
  }
}

template <class C>
void largest_of_runs(const PackedMaps<C>& m, const BevRun* runs, int64_t count, C* to, int32_t* winners) {
  for (int64_t first = 0; first < m.channels; first += kBevChannels) {
    C best[kBevChannels];
    int32_t won[kBevChannels];
    for (int64_t l = 0; l < kBevChannels; ++l) won[l] = -1;
    for (int64_t r = 0; r < count; ++r) {
      const Run<C> run = find(m, runs[r]);
      for (int64_t i = 0; i < run.rows; ++i) {
        const C* feature = run.features + i * m.channels + first;
        const int32_t point = run.first_point + static_cast<int32_t>(i) * m.width;
        for (int64_t l = 0; l < kBevChannels; ++l) {
          const C v = run.weights[i] * feature[l];
          const bool wins = won[l] < 0 || v > best[l] || (v != v && best[l] == best[l]);
          best[l] = wins ? v : best[l];
          won[l] = wins ? point : won[l];
        }
      }
    }
    for (int64_t l = 0; l < kBevChannels; ++l) {
      to[first + l] = best[l];
      winners[first + l] = won[l];
    }
  }
}

}  // namespace

extern const BevPoolLevel<float> kBevPoolFloat;
extern const BevPoolLevel<double> kBevPoolDouble;
const BevPoolLevel<float> kBevPoolFloat = {TYTO_NAME, sum_runs<float>, largest_of_runs<float>};
const BevPoolLevel<double> kBevPoolDouble = {TYTO_NAME, sum_runs<double>, largest_of_runs<double>};

}  // namespace tyto::kernels::TYTO_LEVEL
