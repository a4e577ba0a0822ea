#include "kernels/common/multiversion.h"
#include "kernels/losses/anchor_loss_cpu.h"
#include "kernels/losses/triplet_math.h"

namespace tyto::kernels {
namespace {

constexpr int kLanes = 16;  // partial sums

template <class C>
struct Row {
  const C* distances;     // [n]
  const int32_t* labels;  // [n]
  int32_t label;
  int64_t n;
  C negatives_below;
};

// The triplets of one positive, v = limit - distance.
template <class C>
[[gnu::always_inline]] inline TripletTotals sum_row(const Row<C>& row, C limit) {
  const Row<C> r = row;
  C sums[kLanes] = {};
  int32_t counts[kLanes] = {};
  for (int64_t first = 0; first < r.n; first += kLanes) {
    const int64_t count = std::min<int64_t>(kLanes, r.n - first);
    for (int64_t l = 0; l < count; ++l) {
      const C d = r.distances[first + l], v = limit - d;
      const bool some = (r.labels[first + l] != r.label) & (d < r.negatives_below) & (v > 0);
      sums[l] += some ? v : C{0};
      counts[l] += some;
    }
  }
  TripletTotals all;
  for (int l = 0; l < kLanes; ++l) all.join(TripletSums<C>{sums[l], counts[l]});
  return all;
}

// Those triplets' slopes of the negatives; their number.
template <class C>
[[gnu::always_inline]] inline int64_t slope_row(const Row<C>& row, C limit, C each, C* slopes) {
  const Row<C> r = row;
  int64_t triplets = 0;
  for (int64_t j = 0; j < r.n; ++j) {
    const C d = r.distances[j];
    const bool some = (r.labels[j] != r.label) & (d < r.negatives_below) & (limit - d > 0);
    slopes[j] -= some ? each : C{0};
    triplets += some;
  }
  return triplets;
}

#define TYTO_OF(C)                                                                                         \
  TYTO_MULTIVERSION TripletTotals sum_triplets(const Row<C>& row, C limit) { return sum_row(row, limit); } \
  TYTO_MULTIVERSION int64_t slope_triplets(const Row<C>& row, C limit, C each, C* slopes) {                \
    return slope_row(row, limit, each, slopes);                                                            \
  }
TYTO_OF(double)
TYTO_OF(float)
#undef TYTO_OF

// Calls body(p) for the positives that are kept.
template <class C, class Body>
void for_each_positive(const Row<C>& row, int64_t i, const KeptDistances<C>& kept, const Body& body) {
  for (int64_t p = 0; p < row.n; ++p)
    if (p != i && row.labels[p] == row.label && row.distances[p] > kept.positives_beyond) body(p);
}

}  // namespace

template <class T>
int64_t triplet_loss_cpu_workspace(int64_t rows, int64_t width) {
  Workspace measured;
  TripletMemory<Computed<T>>(measured, rows);
  return measured.bytes() + pairwise_loss_cpu_workspace<T>(rows, width);
}

template <class T>
void triplet_loss_cpu(const LabelledRows<T>& in, const TripletLoss& options, const LossOutput<T>& out,
                      void* workspace) {
  using C = Computed<T>;
  Workspace lent(workspace);
  const int64_t n = in.rows;
  const TripletMemory<C> memory(lent, n);
  const auto pairs = measure_pairs_cpu(in, kTripletFrame, lent);
  const TripletRule<C> rule(options);
  const auto row_of = [&](int64_t i) {
    return Row<C>{pairs.measures + i * n, in.labels, in.labels[i], n, memory.kept[i].negatives_below};
  };
#pragma omp parallel for schedule(dynamic, 8)
  for (int64_t i = 0; i < n; ++i) {
    memory.kept[i] = rule.kept(hardest_pairs(rule, pairs.measures + i * n, in.labels, i, n));
    const Row<C> row = row_of(i);
    TripletTotals anchor;
    for_each_positive(row, i, memory.kept[i],
                      [&](int64_t p) { anchor.join(sum_triplets(row, row.distances[p] + rule.margin)); });
    memory.anchors[i] = anchor;
  }
  TripletTotals totals;
  for (int64_t i = 0; i < n; ++i) totals.join(memory.anchors[i]);
  *out.value = static_cast<C>(triplet_value(totals));
  if (out.gradient != nullptr) {
    const C each = 1 / static_cast<C>(std::max<int64_t>(totals.count, 1));
#pragma omp parallel for schedule(dynamic, 8)
    for (int64_t i = 0; i < n; ++i) {
      C* slopes = pairs.slopes + i * n;
      std::fill_n(slopes, n, C{0});
      if (memory.anchors[i].count == 0) continue;
      const Row<C> row = row_of(i);
      for_each_positive(row, i, memory.kept[i], [&](int64_t p) {
        slopes[p] += each * static_cast<C>(slope_triplets(row, row.distances[p] + rule.margin, each, slopes));
      });
    }
  }
  finish_pairs_cpu(in, kTripletFrame, pairs, out);
}

#define TYTO_INSTANTIATE(T)                                         \
  template int64_t triplet_loss_cpu_workspace<T>(int64_t, int64_t); \
  template void triplet_loss_cpu(const LabelledRows<T>&, const TripletLoss&, const LossOutput<T>&, void*);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
TYTO_INSTANTIATE(Half)
TYTO_INSTANTIATE(BFloat16)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels
