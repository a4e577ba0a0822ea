#include <algorithm>

#include "kernels/common/multiversion.h"
#include "kernels/losses/cmdc_math.h"
#include "kernels/losses/cmdc_memory.h"
#include "kernels/losses/row_products.h"

namespace tyto::kernels {
namespace {

constexpr int kLanes = 16;            // partial sums
constexpr int64_t kColumnBlock = 64;  // of a thread's part of row_sums

// The rows of a batch as a centre looks at them.
struct Rows {
  const int32_t *labels, *group_of;
  int64_t count;
};

template <class C>
struct CenterSums {
  C value, weights;
};

// Distances [rows] become -weights.
template <class C>
[[gnu::always_inline]] inline CenterSums<C> take_all(const CmdcCenter<C>& center, int32_t label,
                                                     int32_t group, const Rows& rows, C* distances) {
  C values[kLanes] = {}, weights[kLanes] = {};
  const auto take = [&](int64_t i, int lane) __attribute__((always_inline)) {
    const C d = distances[i];
    const auto hinge = center.pair(d, rows.labels[i] == label);
    const auto pull = center.own(d);
    const bool own = rows.group_of[i] == group;
    const C weight = hinge.weight + (own ? pull.weight : C{0});
    values[lane] += hinge.value + (own ? pull.value : C{0});
    weights[lane] += weight;
    distances[i] = -weight;
  };
  const int64_t whole = rows.count / kLanes * kLanes;
  for (int64_t i = 0; i < whole; i += kLanes)
    for (int lane = 0; lane < kLanes; ++lane) take(i + lane, lane);
  for (int64_t i = whole; i < rows.count; ++i) take(i, static_cast<int>(i - whole));
  for (int half = kLanes / 2; half > 0; half /= 2)
    for (int lane = 0; lane < half; ++lane) {
      values[lane] += values[lane + half];
      weights[lane] += weights[lane + half];
    }
  return {values[0], weights[0]};
}

template <class C>
[[gnu::always_inline]] inline CenterSums<C> take_hardest(const CmdcCenter<C>& center, int32_t label,
                                                         int32_t group, const Rows& rows, C* distances) {
  int64_t farthest = -1, nearest = -1;
  CenterSums<C> sums{};
  for (int64_t i = 0; i < rows.count; ++i) {
    const C d = distances[i];
    if (rows.labels[i] == label) {
      if (farthest < 0 || d > distances[farthest]) farthest = i;
    } else {
      if (nearest < 0 || d < distances[nearest]) nearest = i;
    }
  }
  typename CmdcCenter<C>::Pair positive{}, negative{};
  if (farthest >= 0) positive = center.pair(distances[farthest], true);
  if (nearest >= 0) negative = center.pair(distances[nearest], false);
  for (int64_t i = 0; i < rows.count; ++i) {
    const auto pull = center.own(distances[i]);
    const bool own = rows.group_of[i] == group;
    sums.value += own ? pull.value : C{0};
    sums.weights += own ? pull.weight : C{0};
    distances[i] = own ? -pull.weight : C{0};
  }
  if (farthest >= 0) distances[farthest] -= positive.weight;
  if (nearest >= 0) distances[nearest] -= negative.weight;
  return {sums.value + positive.value + negative.value, sums.weights + positive.weight + negative.weight};
}

#define TYTO_OF(C)                                                                                         \
  TYTO_MULTIVERSION CenterSums<C> weigh_all(const CmdcCenter<C>& center, int32_t label, int32_t group,     \
                                            const Rows& rows, C* distances) {                              \
    return take_all(center, label, group, rows, distances);                                                \
  }                                                                                                        \
  TYTO_MULTIVERSION CenterSums<C> weigh_hardest(const CmdcCenter<C>& center, int32_t label, int32_t group, \
                                                const Rows& rows, C* distances) {                          \
    return take_hardest(center, label, group, rows, distances);                                            \
  }                                                                                                        \
  TYTO_MULTIVERSION void subtract(const C* from, int64_t count, C* to) {                                   \
    for (int64_t i = 0; i < count; ++i) to[i] -= from[i];                                                  \
  }                                                                                                        \
  TYTO_MULTIVERSION void scale(C by, int64_t width, C* to) {                                               \
    for (int64_t j = 0; j < width; ++j) to[j] *= by;                                                       \
  }                                                                                                        \
  TYTO_MULTIVERSION void add_scaled(const C* x, C by, int64_t width, C* to) {                              \
    for (int64_t j = 0; j < width; ++j) to[j] += by * x[j];                                                \
  }                                                                                                        \
  TYTO_MULTIVERSION void add_scaled(const C* x, C by, const C* more, int64_t width, C* to) {               \
    for (int64_t j = 0; j < width; ++j) to[j] += by * x[j] + more[j];                                      \
  }
TYTO_OF(double)
TYTO_OF(float)
#undef TYTO_OF

// Distances to weights and the parts of the value; returns the value.
template <class C>
C weigh(const Rows& rows, const CmdcLoss& p, const CmdcMemory<C>& m) {
  const int32_t count = *m.groups.count;
#pragma omp parallel for schedule(static)
  for (int32_t g = 0; g < count; ++g) {
    const CmdcCenter<C> center(p, m.groups, count, g, rows.count);
    const int32_t label = m.groups.labels[g];
    C* distances = m.weights + g * rows.count;
    const CenterSums<C> sums = p.mining == CmdcMining::All ? weigh_all(center, label, g, rows, distances)
                                                           : weigh_hardest(center, label, g, rows, distances);
    m.values[g] = sums.value;
    m.center_sums[g] = sums.weights;
  }
  double value = 0;
  for (int32_t g = 0; g < count; ++g) value += static_cast<double>(m.values[g]);
  return static_cast<C>(value);
}

template <class C>
void sum_of_rows(int64_t rows, const CmdcMemory<C>& m) {
#pragma omp parallel for schedule(static)
  for (int64_t begin = 0; begin < rows; begin += kColumnBlock) {
    const int64_t columns = std::min(kColumnBlock, rows - begin);
    std::fill_n(m.row_sums + begin, columns, C{0});
    for (int32_t g = 0; g < *m.groups.count; ++g)
      subtract(m.weights + g * rows + begin, columns, m.row_sums + begin);
  }
}

}  // namespace

template <class T>
int64_t cmdc_loss_cpu_workspace(int64_t rows, int64_t width) {
  using C = Computed<T>;
  Workspace measured;
  CmdcMemory<C>(measured, rows, width, row_pairs_cpu_workspace<C>(rows, rows, width));
  return measured.bytes();
}

template <class T>
void cmdc_loss_cpu(const LabelledRows<T>& in, const int32_t* modalities, const LearnedCenters<T>& learned,
                   const CmdcLoss& p, const LossOutput<T>& out, void* workspace) {
  using C = Computed<T>;
  const int64_t n = in.rows, width = in.width;
  Workspace pieces(workspace);
  const CmdcMemory<C> m(pieces, n, width, row_pairs_cpu_workspace<C>(n, n, width));
  const bool kept = p.centers == CmdcCenters::Learned, by_modality = p.centers == CmdcCenters::Modality;
  const RowsAs as{.unit = p.normalize};
  *m.found = 0;
  check_labels_cpu(in.labels, n, kept ? learned.classes : 0, LossInput::Labels, m.found);
  if (by_modality) check_labels_cpu(modalities, n, 2, LossInput::Modalities, m.found);
  load_rows_cpu(in.values, n, width, as, LossInput::Features, m.x, m.lengths, m.found);
  group_rows_cpu(in.labels, by_modality ? modalities : nullptr, n, m.groups);
  if (kept)
    gather_centers_cpu(learned.values, learned.classes, m.groups, width, m.centers, m.found);
  else
    mean_rows_cpu(m.x, m.groups, width, m.centers);

  const int32_t count = *m.groups.count;
  const RowPairs<C> pairs{m.centers, m.x, count, n, width};
  row_distances_cpu(pairs, m.weights, m.products);
  *out.value = weigh({in.labels, m.groups.group_of, n}, p, m);
  finish_loss_cpu(m.found, out.value, 1, out.status);

  if (kept ? learned.gradient != nullptr : out.gradient != nullptr) {
    weighted_rows_cpu(pairs, m.weights, SumOver::B, false, m.center_gradients, m.products);
#pragma omp parallel for schedule(static)
    for (int32_t g = 0; g < count; ++g) {
      C* gradient = m.center_gradients + g * width;
      add_scaled(m.centers + g * width, m.center_sums[g], width, gradient);
      if (!kept) scale(C{1} / static_cast<C>(m.groups.begins[g + 1] - m.groups.begins[g]), width, gradient);
    }
  }
  if (kept && learned.gradient != nullptr)
    scatter_center_gradients_cpu(m.center_gradients, m.groups, learned.classes, width, out.scale, m.found,
                                 learned.gradient);
  if (out.gradient == nullptr) return;
  sum_of_rows(n, m);
  weighted_rows_cpu(pairs, m.weights, SumOver::A, false, m.gradients, m.products);
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < n; ++i) {
    const C* x = m.x + i * width;
    C* gradient = m.gradients + i * width;
    if (kept)
      add_scaled(x, m.row_sums[i], width, gradient);
    else
      add_scaled(x, m.row_sums[i], m.center_gradients + m.groups.group_of[i] * width, width, gradient);
  }
  store_row_gradients_cpu(m.gradients, m.x, m.lengths, n, width, as, out.scale, m.found, out.gradient);
}

#define TYTO_INSTANTIATE(T)                                                                     \
  template int64_t cmdc_loss_cpu_workspace<T>(int64_t, int64_t);                                \
  template void cmdc_loss_cpu(const LabelledRows<T>&, const int32_t*, const LearnedCenters<T>&, \
                              const CmdcLoss&, const LossOutput<T>&, void*);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
TYTO_INSTANTIATE(Half)
TYTO_INSTANTIATE(BFloat16)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels
