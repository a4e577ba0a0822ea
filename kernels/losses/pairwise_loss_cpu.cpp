#include "kernels/losses/pairwise_loss.h"

namespace tyto::kernels {

template <class T>
int64_t pairwise_loss_cpu_workspace(int64_t rows, int64_t width) {
  using C = Computed<T>;
  Workspace measured;
  PairwiseMemory<C>(measured, rows, width, row_pairs_cpu_workspace<C>(rows, rows, width));
  return measured.bytes();
}

template <class T>
PairwiseMemory<Computed<T>> measure_pairs_cpu(const LabelledRows<T>& in, const PairwiseFrame& frame,
                                              Workspace& workspace) {
  using C = Computed<T>;
  const PairwiseMemory<C> m(workspace, in.rows, in.width,
                            row_pairs_cpu_workspace<C>(in.rows, in.rows, in.width));
  *m.found = 0;
  check_labels_cpu(in.labels, in.rows, 0, LossInput::Labels, m.found);
  load_rows_cpu(in.values, in.rows, in.width, frame.rows, LossInput::Features, m.x, m.lengths, m.found);
  const RowPairs<C> pairs{m.x, m.x, in.rows, in.rows, in.width};
  if (frame.measure == PairMeasure::Product)
    row_products_cpu(pairs, m.measures, m.products);
  else
    row_distances_cpu(pairs, m.measures, m.products);
  return m;
}

template <class T>
void finish_pairs_cpu(const LabelledRows<T>& in, const PairwiseFrame& frame,
                      const PairwiseMemory<Computed<T>>& m, const LossOutput<T>& out) {
  using C = Computed<T>;
  finish_loss_cpu(m.found, out.value, 1, out.status);
  if (out.gradient == nullptr) return;
  if (frame.measure == PairMeasure::Product)
    product_weights_cpu(in.rows, m.slopes);
  else
    distance_weights_cpu(m.measures, in.rows, m.slopes);
  const RowPairs<C> pairs{m.x, m.x, in.rows, in.rows, in.width};
  weighted_rows_cpu(pairs, m.slopes, SumOver::B, false, m.gradients, m.products);
  store_row_gradients_cpu(m.gradients, m.x, m.lengths, in.rows, in.width, frame.rows, out.scale, m.found,
                          out.gradient);
}

#define TYTO_INSTANTIATE(T)                                                                            \
  template int64_t pairwise_loss_cpu_workspace<T>(int64_t, int64_t);                                   \
  template PairwiseMemory<Computed<T>> measure_pairs_cpu(const LabelledRows<T>&, const PairwiseFrame&, \
                                                         Workspace&);                                  \
  template void finish_pairs_cpu(const LabelledRows<T>&, const PairwiseFrame&,                         \
                                 const PairwiseMemory<Computed<T>>&, const LossOutput<T>&);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
TYTO_INSTANTIATE(Half)
TYTO_INSTANTIATE(BFloat16)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels
