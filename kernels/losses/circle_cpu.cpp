#include <algorithm>

#include "kernels/common/multiversion.h"
#include "kernels/losses/circle_math.h"

namespace tyto::kernels {
namespace {

constexpr int kLanes = 16;  // partial sums

// A row's pairs j > i, whose count is `n`: the largest logit of each kind, then their sums.
template <class C>
[[gnu::always_inline]] inline void row_sums(const C* measures, const int32_t* labels, int32_t label,
                                            int64_t n, const CirclePair<C>& pair, CircleSums<C>* sums) {
  constexpr C kNone = -std::numeric_limits<C>::infinity();
  C positive[kLanes], negative[kLanes];
  std::fill_n(positive, kLanes, kNone);
  std::fill_n(negative, kLanes, kNone);
  for (int64_t first = 0; first < n; first += kLanes) {
    const int64_t count = std::min<int64_t>(kLanes, n - first);
    for (int64_t l = 0; l < count; ++l) {
      const bool same = labels[first + l] == label;
      const C logit = pair.logit(measures[first + l], same);
      positive[l] = same && logit > positive[l] ? logit : positive[l];
      negative[l] = !same && logit > negative[l] ? logit : negative[l];
    }
  }
  const C top_p = *std::max_element(positive, positive + kLanes);
  const C top_n = *std::max_element(negative, negative + kLanes);
  std::fill_n(positive, kLanes, C{0});
  std::fill_n(negative, kLanes, C{0});
  for (int64_t first = 0; first < n; first += kLanes) {
    const int64_t count = std::min<int64_t>(kLanes, n - first);
    for (int64_t l = 0; l < count; ++l) {
      const bool same = labels[first + l] == label;
      const C e = exp_of(pair.logit(measures[first + l], same) - (same ? top_p : top_n));
      positive[l] += same ? e : C{0};
      negative[l] += same ? C{0} : e;
    }
  }
  sums->positive = {top_p, 0};
  sums->negative = {top_n, 0};
  for (int l = 0; l < kLanes; ++l) {
    sums->positive.sum += positive[l];
    sums->negative.sum += negative[l];
  }
}

template <class C>
[[gnu::always_inline]] inline void row_slopes(const C* measures, const int32_t* labels, int32_t label,
                                              int64_t n, const CirclePair<C>& pair,
                                              const CircleTotals<C>& totals, C* slopes) {
  const CircleTotals<C> t = totals;
  for (int64_t j = 0; j < n; ++j) {
    const bool same = labels[j] == label;
    const C slope = pair.slope(measures[j], same), logit = pair.logit(measures[j], same);
    const C e = exp_of(logit - (same ? t.positive_largest : t.negative_largest));
    slopes[j] = slope * e * (same ? t.positive_factor : t.negative_factor);
  }
}

#define TYTO_OF(C)                                                                                        \
  TYTO_MULTIVERSION void sums_of(const C* measures, const int32_t* labels, int32_t label, int64_t n,      \
                                 const CirclePair<C>& pair, CircleSums<C>* sums) {                        \
    row_sums(measures, labels, label, n, pair, sums);                                                     \
  }                                                                                                       \
  TYTO_MULTIVERSION void slopes_of(const C* measures, const int32_t* labels, int32_t label, int64_t n,    \
                                   const CirclePair<C>& pair, const CircleTotals<C>& totals, C* slopes) { \
    row_slopes(measures, labels, label, n, pair, totals, slopes);                                         \
  }
TYTO_OF(double)
TYTO_OF(float)
#undef TYTO_OF

}  // namespace

template <class T>
int64_t circle_loss_cpu_workspace(int64_t rows, int64_t width) {
  Workspace measured;
  CircleMemory<Computed<T>>(measured, rows);
  return measured.bytes() + pairwise_loss_cpu_workspace<T>(rows, width);
}

template <class T>
void circle_loss_cpu(const LabelledRows<T>& in, const CircleLoss& options, const LossOutput<T>& out,
                     void* workspace) {
  using C = Computed<T>;
  Workspace lent(workspace);
  const CircleMemory<C> memory(lent, in.rows);
  const auto pairs = measure_pairs_cpu(in, {.measure = PairMeasure::Product}, lent);
  const CirclePair<C> pair(options);
  const int64_t n = in.rows;
#pragma omp parallel for schedule(dynamic, 8)
  for (int64_t i = 0; i < n; ++i) {
    CircleSums<C> sums;
    sums_of(pairs.measures + i * n + i + 1, in.labels + i + 1, in.labels[i], n - i - 1, pair, &sums);
    write(sums, i, n, memory.rows);
  }
  CircleSums<C> batch;
  for (int64_t i = 0; i < n; ++i) batch.join(read(memory.rows, i, n));
  const CircleTotals<C> totals = circle_totals(batch);
  *out.value = totals.value;
  if (out.gradient != nullptr) {
#pragma omp parallel for schedule(dynamic, 8)
    for (int64_t i = 0; i < n; ++i) {
      C* slopes = pairs.slopes + i * n;
      std::fill_n(slopes, i + 1, C{0});
      slopes_of(pairs.measures + i * n + i + 1, in.labels + i + 1, in.labels[i], n - i - 1, pair, totals,
                slopes + i + 1);
    }
  }
  finish_pairs_cpu(in, {.measure = PairMeasure::Product}, pairs, out);
}

#define TYTO_INSTANTIATE(T)                                        \
  template int64_t circle_loss_cpu_workspace<T>(int64_t, int64_t); \
  template void circle_loss_cpu(const LabelledRows<T>&, const CircleLoss&, const LossOutput<T>&, void*);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
TYTO_INSTANTIATE(Half)
TYTO_INSTANTIATE(BFloat16)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels
