#include <algorithm>

#include "kernels/losses/hetero_center_memory.h"
#include "kernels/losses/hetero_center_triplet.h"
#include "kernels/losses/row_products.h"

namespace tyto::kernels {
namespace {

// An anchor's part of the value, before the mean; its two slopes go to slopes [centers], zeros before.
template <class C>
C mine(const C* distances, const int32_t* labels, int32_t centers, int32_t anchor, C margin, C* slopes) {
  int32_t farthest = anchor, nearest = -1;
  for (int32_t c = 0; c < centers; ++c) {
    if (labels[c] == labels[anchor]) {
      if (distances[c] > distances[farthest]) farthest = c;
    } else {
      if (nearest < 0 || distances[c] < distances[nearest]) nearest = c;
    }
  }
  if (nearest < 0) return 0;
  const C over = distances[farthest] - distances[nearest] + margin;
  if (!(over > 0)) return 0;
  if (farthest != anchor) slopes[farthest] = C{1} / static_cast<C>(centers);
  slopes[nearest] = C{-1} / static_cast<C>(centers);
  return over;
}

}  // namespace

template <class T>
int64_t hetero_center_triplet_loss_cpu_workspace(int64_t rows, int64_t width) {
  using C = Computed<T>;
  Workspace measured;
  HeteroCenterTripletMemory<C>(measured, rows, width, row_pairs_cpu_workspace<C>(rows, rows, width));
  return measured.bytes();
}

template <class T>
void hetero_center_triplet_loss_cpu(const LabelledRows<T>& in, const int32_t* modalities,
                                    const HeteroCenterTripletLoss& p, const LossOutput<T>& out,
                                    void* workspace) {
  using C = Computed<T>;
  const int64_t n = in.rows, width = in.width;
  Workspace pieces(workspace);
  const HeteroCenterTripletMemory<C> m(pieces, n, width, row_pairs_cpu_workspace<C>(n, n, width));
  const RowsAs as{.unit = false};
  *m.found = 0;
  check_labels_cpu(in.labels, n, 0, LossInput::Labels, m.found);
  check_labels_cpu(modalities, n, 2, LossInput::Modalities, m.found);
  load_rows_cpu<T>(in.values, n, width, as, LossInput::Features, m.x, nullptr, m.found);
  group_rows_cpu(in.labels, modalities, n, m.groups);
  mean_rows_cpu(m.x, m.groups, width, m.centers);
  const int32_t count = *m.groups.count;
  const RowPairs<C> pairs{m.centers, m.centers, count, count, width};
  row_distances_cpu(pairs, m.distances, m.products);
  std::fill_n(m.slopes, static_cast<int64_t>(count) * count, C{0});
  double value = 0;
  for (int32_t anchor = 0; anchor < count; ++anchor) {
    const int64_t row = static_cast<int64_t>(anchor) * count;
    value += static_cast<double>(
        mine(m.distances + row, m.groups.labels, count, anchor, static_cast<C>(p.margin), m.slopes + row));
  }
  *out.value = static_cast<C>(count == 0 ? 0 : value / count);
  finish_loss_cpu(m.found, out.value, 1, out.status);
  if (out.gradient == nullptr) return;
  distance_weights_cpu(m.distances, count, m.slopes);
  weighted_rows_cpu(pairs, m.slopes, SumOver::B, false, m.center_gradients, m.products);
  spread_mean_gradients_cpu(m.center_gradients, m.groups, n, width, m.gradients);
  store_row_gradients_cpu<T>(m.gradients, m.x, nullptr, n, width, as, out.scale, m.found, out.gradient);
}

#define TYTO_INSTANTIATE(T)                                                            \
  template int64_t hetero_center_triplet_loss_cpu_workspace<T>(int64_t, int64_t);      \
  template void hetero_center_triplet_loss_cpu(const LabelledRows<T>&, const int32_t*, \
                                               const HeteroCenterTripletLoss&, const LossOutput<T>&, void*);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
TYTO_INSTANTIATE(Half)
TYTO_INSTANTIATE(BFloat16)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels
