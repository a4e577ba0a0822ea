// ArcFace, CosFace and SphereFace: weights are turned into rows of classes, features and weights go to unit
// length, all cosines are products of rows; a warp or a block takes a row of cosines to logits, their cross
// entropy and d value / d cosine, in place; two more products give the gradients of features and weights.
//
// Cost for n rows of width d and k classes: 3 n k d multiply-adds; beside them the weights are read and
// written six times and the cosines once.
#include "kernels/losses/margin_softmax.h"

#include "kernels/losses/cross_entropy.cuh"
#include "kernels/losses/feature_rows.h"
#include "kernels/losses/margin_softmax_math.h"
#include "kernels/losses/row_losses.h"
#include "kernels/losses/row_products.h"

namespace tyto::kernels {
namespace {

constexpr int kTile = kWarp, kTileRows = 8;  // a block turns 32 x 32 elements, four by a thread

template <class T>
MarginMemory<Computed<T>> memory_of(Workspace& workspace, int64_t rows, int64_t width, int64_t classes) {
  using C = Computed<T>;
  return {workspace,
          rows,
          width,
          classes,
          row_pairs_workspace<C>(rows, classes, width),
          rows * static_cast<int64_t>(sizeof(double))};
}

// to [columns, rows] = from [rows, columns], turned. From or To is what a loss over the other computes in.
template <class From, class To>
__global__ void __launch_bounds__(kTile* kTileRows)
    turn_kernel(const From* __restrict__ from, int rows, int columns, To* __restrict__ to) {
  using C = Computed<From>;
  TYTO_SHARED_ARRAY(C, tile, kTile * (kTile + 1));
  const int x = static_cast<int>(threadIdx.x) % kTile, y = static_cast<int>(threadIdx.x) / kTile;
  const int left = static_cast<int>(blockIdx.x) * kTile, top = static_cast<int>(blockIdx.y) * kTile;
  for (int i = y; i < kTile; i += kTileRows)
    if (top + i < rows && left + x < columns)
      tile[i * (kTile + 1) + x] = computed(from[static_cast<int64_t>(top + i) * columns + left + x]);
  __syncthreads();
  for (int j = y; j < kTile; j += kTileRows)
    if (left + j < columns && top + x < rows)
      to[static_cast<int64_t>(left + j) * rows + top + x] = rounded_to<To>(tile[x * (kTile + 1) + j]);
}

template <class From, class To>
void turn(const From* from, int64_t rows, int64_t columns, To* to, Stream stream) {
  const dim3 grid(blocks_for(columns, kTile), blocks_for(rows, kTile));
  launch<turn_kernel<From, To>>({.grid = grid, .block = kTile * kTileRows, .stream = stream}, from,
                                static_cast<int>(rows), static_cast<int>(columns), to);
}

// cosines [rows, classes] become d value / d cosine if `differentiates`.
template <class C, int kThreads>
__global__ void __launch_bounds__(kReduceBlock)
    margin_softmax_kernel(C* cosines, const int32_t* __restrict__ labels, int64_t rows, int classes,
                          MarginRule<C> rule, SmoothedTarget<C> target, bool differentiates,
                          double* __restrict__ losses) {
  TYTO_SHARED_ARRAY(C, partial, 3 * kReduceWarps);
  TYTO_SHARED_ARRAY(double, terms, kReduceWarps);
  const int64_t row = row_of_thread<kThreads>();
  C loss = 0;
  if (row < rows) {
    cosines += row * classes;
    const int32_t label = labels[row];
    if (label >= 0 && label < classes) {
      const Margined<C> margined = rule.of(cosines[label]);
      const C of_row = cross_entropy_row<kThreads>(
          classes, label, target, rule.scale / static_cast<C>(rows), differentiates, partial,
          [&](int c) { return rule.scale * (c == label ? margined.psi : cosines[c]); },
          [&](int c, C v) { cosines[c] = c == label ? v * margined.slope : v; });
      if (threadIdx.x % kThreads == 0) loss = of_row;
    }
  }
  store_block_sum<kThreads>(loss, terms, losses + blockIdx.x);
}

}  // namespace

template <class T>
void margin_softmax(const LabelledRows<T>& in, const ClassWeights<T>& weights, const MarginSoftmax& loss,
                    const LossOutput<T>& out, void* memory, Stream stream) {
  using C = Computed<T>;
  const int64_t rows = in.rows, width = in.width, classes = weights.classes;
  checked_int(rows * classes, "rows * classes of a softmax with margins");
  checked_int(classes * width, "classes * width of a softmax with margins");
  Workspace workspace(memory);
  const MarginMemory<C> m = memory_of<T>(workspace, rows, width, classes);
  clear_status(m.found, stream);
  check_labels(in.labels, rows, classes, LossInput::Labels, m.found, stream);
  load_rows(in.values, rows, width, {}, LossInput::Features, m.x, m.lengths, m.found, stream);
  turn(weights.values, width, classes, m.turned, stream);
  load_rows<C>(m.turned, classes, width, {}, LossInput::Weights, m.w, m.w_lengths, m.found, stream);

  const RowPairs<C> pairs{m.x, m.w, rows, classes, width};
  row_products(pairs, m.logits, m.products, stream);
  const bool differentiates = out.gradient != nullptr || weights.gradient != nullptr;
  auto* losses = static_cast<double*>(m.entropy);
  int64_t blocks = 0;
  with_row_threads<1>(classes, [&]<int, int kThreads>() {
    LaunchConfig config = cover_reduced_rows<kThreads>(rows, stream);
    blocks = config.grid.x;
    launch<margin_softmax_kernel<C, kThreads>>(config, m.logits, in.labels, rows, static_cast<int>(classes),
                                               MarginRule<C>(loss), SmoothedTarget<C>(0, classes),
                                               differentiates, losses);
  });
  mean_of_losses(losses, blocks, static_cast<double>(rows), nullptr, out.value, stream);
  finish_loss(m.found, out.value, 1, out.status, stream);
  if (out.gradient != nullptr) {
    weighted_rows(pairs, m.logits, SumOver::B, false, m.gradients, m.products, stream);
    store_row_gradients(m.gradients, m.x, m.lengths, rows, width, {}, out.scale, m.found, out.gradient,
                        stream);
  }
  if (weights.gradient != nullptr) {
    weighted_rows(pairs, m.logits, SumOver::A, false, m.turned, m.products, stream);
    store_row_gradients<C>(m.turned, m.w, m.w_lengths, classes, width, {}, out.scale, m.found, m.turned,
                           stream);
    turn(m.turned, classes, width, weights.gradient, stream);
  }
}

template <class T>
int64_t margin_softmax_workspace(int64_t rows, int64_t width, int64_t classes) {
  Workspace workspace;
  memory_of<T>(workspace, rows, width, classes);
  return workspace.bytes();
}

#define TYTO_INSTANTIATE(T)                                                                          \
  template void margin_softmax(const LabelledRows<T>&, const ClassWeights<T>&, const MarginSoftmax&, \
                               const LossOutput<T>&, void*, Stream);                                 \
  template int64_t margin_softmax_workspace<T>(int64_t, int64_t, int64_t);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
TYTO_INSTANTIATE(Half)
TYTO_INSTANTIATE(BFloat16)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels
