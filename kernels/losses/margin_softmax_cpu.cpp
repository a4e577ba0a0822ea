#include <algorithm>

#include "kernels/common/host_elements.h"
#include "kernels/common/transpose_cpu.h"
#include "kernels/losses/cross_entropy.h"
#include "kernels/losses/feature_rows.h"
#include "kernels/losses/margin_softmax.h"
#include "kernels/losses/margin_softmax_math.h"
#include "kernels/losses/row_products.h"

namespace tyto::kernels {
namespace {

template <class T>
MarginMemory<Computed<T>> memory_of(Workspace& workspace, int64_t rows, int64_t width, int64_t classes) {
  using C = Computed<T>;
  return {workspace,
          rows,
          width,
          classes,
          row_pairs_cpu_workspace<C>(rows, classes, width),
          cross_entropy_cpu_workspace<C>(rows, 1)};
}

// to [columns, rows] = from [rows, columns], turned.
template <class From, class To>
void turn(const From* from, int64_t rows, int64_t columns, To* to) {
  constexpr int64_t kTile = 32;
#pragma omp parallel for schedule(static)
  for (int64_t left = 0; left < columns; left += kTile)
    for (int64_t top = 0; top < rows; top += kTile) {
      const int64_t height = std::min(kTile, rows - top), width = std::min(kTile, columns - left);
      if constexpr (std::is_same_v<From, float> && std::is_same_v<To, float>)
        transpose(from + top * columns + left, columns, height, width, 1, to + left * rows + top, rows);
      else
        for (int64_t j = left; j < left + width; ++j)
          for (int64_t i = top; i < top + height; ++i)
            set_host_element(to, j * rows + i, host_element(from, i * columns + j));
    }
}

// From cosines to logits.
template <class C>
void apply_margin(const MarginRule<C>& rule, const int32_t* labels, int64_t rows, int64_t classes, C* logits,
                  C* slopes) {
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < rows; ++i) {
    C* row = logits + i * classes;
    const Margined<C> margined = rule.of(row[labels[i]]);
    for (int64_t c = 0; c < classes; ++c) row[c] *= rule.scale;
    row[labels[i]] = rule.scale * margined.psi;
    slopes[i] = margined.slope;
  }
}

}  // namespace

template <class T>
void margin_softmax_cpu(const LabelledRows<T>& in, const ClassWeights<T>& weights, const MarginSoftmax& loss,
                        const LossOutput<T>& out, void* memory) {
  using C = Computed<T>;
  const int64_t classes = weights.classes, width = in.width;
  Workspace workspace(memory);
  const MarginMemory<C> m = memory_of<T>(workspace, in.rows, width, classes);
  *m.found = 0;
  check_labels_cpu(in.labels, in.rows, classes, LossInput::Labels, m.found);
  load_rows_cpu(in.values, in.rows, width, {}, LossInput::Features, m.x, m.lengths, m.found);
  turn(weights.values, width, classes, m.turned);
  load_rows_cpu<C>(m.turned, classes, width, {}, LossInput::Weights, m.w, m.w_lengths, m.found);

  const RowPairs<C> pairs{m.x, m.w, in.rows, classes, width};
  if (*m.found == 0) {
    row_products_cpu(pairs, m.logits, m.products);
    apply_margin(MarginRule<C>(loss), in.labels, in.rows, classes, m.logits, m.slopes);
    const bool differentiates = out.gradient != nullptr || weights.gradient != nullptr;
    cross_entropy_cpu<C>(
        {m.logits, in.labels, in.rows, classes}, {},
        {.value = out.value, .gradient = differentiates ? m.logits : nullptr, .scale = loss.scale},
        m.entropy);
  }
  finish_loss_cpu(m.found, out.value, 1, out.status);
  if (*m.found == 0)
    for (int64_t i = 0; i < in.rows; ++i) m.logits[i * classes + in.labels[i]] *= m.slopes[i];
  if (out.gradient != nullptr) {
    if (*m.found == 0) weighted_rows_cpu(pairs, m.logits, SumOver::B, false, m.gradients, m.products);
    store_row_gradients_cpu(m.gradients, m.x, m.lengths, in.rows, width, {}, out.scale, m.found,
                            out.gradient);
  }
  if (weights.gradient != nullptr) {
    if (*m.found == 0) weighted_rows_cpu(pairs, m.logits, SumOver::A, false, m.turned, m.products);
    store_row_gradients_cpu<C>(m.turned, m.w, m.w_lengths, classes, width, {}, out.scale, m.found, m.turned);
    turn(m.turned, classes, width, weights.gradient);
  }
}

template <class T>
int64_t margin_softmax_cpu_workspace(int64_t rows, int64_t width, int64_t classes) {
  Workspace workspace;
  memory_of<T>(workspace, rows, width, classes);
  return workspace.bytes();
}

#define TYTO_INSTANTIATE(T)                                                                              \
  template void margin_softmax_cpu(const LabelledRows<T>&, const ClassWeights<T>&, const MarginSoftmax&, \
                                   const LossOutput<T>&, void*);                                         \
  template int64_t margin_softmax_cpu_workspace<T>(int64_t, int64_t, int64_t);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
TYTO_INSTANTIATE(Half)
TYTO_INSTANTIATE(BFloat16)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels
