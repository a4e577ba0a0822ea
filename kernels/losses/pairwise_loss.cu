// The launches around a pairwise loss's own: no kernel stands here.
#include "kernels/losses/pairwise_loss.h"

#include "kernels/common/launch.h"

namespace tyto::kernels {

template <class T>
int64_t pairwise_loss_workspace(int64_t rows, int64_t width) {
  using C = Computed<T>;
  Workspace measured;
  PairwiseMemory<C>(measured, rows, width, row_pairs_workspace<C>(rows, rows, width));
  return measured.bytes();
}

template <class T>
PairwiseMemory<Computed<T>> measure_pairs(const LabelledRows<T>& in, const PairwiseFrame& frame,
                                          Workspace& workspace, Stream stream) {
  using C = Computed<T>;
  checked_int(in.rows * in.rows, "the pairs of a loss");
  const PairwiseMemory<C> m(workspace, in.rows, in.width, row_pairs_workspace<C>(in.rows, in.rows, in.width));
  clear_status(m.found, stream);
  check_labels(in.labels, in.rows, 0, LossInput::Labels, m.found, stream);
  load_rows(in.values, in.rows, in.width, frame.rows, LossInput::Features, m.x, m.lengths, m.found, stream);
  const RowPairs<C> pairs{m.x, m.x, in.rows, in.rows, in.width};
  if (frame.measure == PairMeasure::Product)
    row_products(pairs, m.measures, m.products, stream);
  else
    row_distances(pairs, m.measures, m.products, stream);
  return m;
}

template <class T>
void finish_pairs(const LabelledRows<T>& in, const PairwiseFrame& frame, const PairwiseMemory<Computed<T>>& m,
                  const LossOutput<T>& out, Stream stream) {
  using C = Computed<T>;
  finish_loss(m.found, out.value, 1, out.status, stream);
  if (out.gradient == nullptr) return;
  if (frame.measure == PairMeasure::Product)
    product_weights(in.rows, m.slopes, stream);
  else
    distance_weights(m.measures, in.rows, m.slopes, stream);
  const RowPairs<C> pairs{m.x, m.x, in.rows, in.rows, in.width};
  weighted_rows(pairs, m.slopes, SumOver::B, false, m.gradients, m.products, stream);
  store_row_gradients(m.gradients, m.x, m.lengths, in.rows, in.width, frame.rows, out.scale, m.found,
                      out.gradient, stream);
}

#define TYTO_INSTANTIATE(T)                                                                        \
  template int64_t pairwise_loss_workspace<T>(int64_t, int64_t);                                   \
  template PairwiseMemory<Computed<T>> measure_pairs(const LabelledRows<T>&, const PairwiseFrame&, \
                                                     Workspace&, Stream);                          \
  template void finish_pairs(const LabelledRows<T>&, const PairwiseFrame&,                         \
                             const PairwiseMemory<Computed<T>>&, const LossOutput<T>&, Stream);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
TYTO_INSTANTIATE(Half)
TYTO_INSTANTIATE(BFloat16)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels
