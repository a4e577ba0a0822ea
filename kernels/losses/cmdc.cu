// CMDC: rows into groups, centres, the distances of every centre to every row; then a block takes a centre
// and makes of its distances the part of the value and the weights of the gradient; then two weighted sums,
// of rows for the centres and of centres for the rows.
//
// Cost for n rows of width d and c centres: c n d multiply-adds for each of the two sums and twice that for
// the distances; rows of x and of gradients move thirteen times, of centres five times. The host knows no c
// and launches for n; blocks behind the last centre end at once.
#include "kernels/common/launch.h"
#include "kernels/losses/cmdc_math.h"
#include "kernels/losses/cmdc_memory.h"
#include "kernels/losses/first_largest.cuh"
#include "kernels/losses/row_products.h"

namespace tyto::kernels {
namespace {

constexpr int kBlock = kReduceBlock;

// What a block knows of its centre.
template <class C>
struct Weighing {
  const int32_t *labels, *group_of;  // [rows]
  int64_t rows;
  C *weights, *values, *center_sums;  // as CmdcMemory's
};

template <class C>
__device__ void report_sums(const Weighing<C>& w, int32_t group, C value, C weights) {
  TYTO_SHARED_ARRAY(C, partial_values, kReduceWarps);
  TYTO_SHARED_ARRAY(C, partial_weights, kReduceWarps);
  value = row_reduce<Plus, kBlock>(value, partial_values);
  weights = row_reduce<Plus, kBlock>(weights, partial_weights);
  if (threadIdx.x != 0) return;
  w.values[group] = value;
  w.center_sums[group] = weights;
}

template <class C>
__global__ void __launch_bounds__(kBlock) weigh_all_kernel(CmdcLoss p, RowGroups groups, Weighing<C> w) {
  const int32_t group = static_cast<int32_t>(blockIdx.x), count = *groups.count;
  if (group >= count) return;
  const CmdcCenter<C> center(p, groups, count, group, w.rows);
  const int32_t label = groups.labels[group];
  C* distances = w.weights + group * w.rows;
  C value = 0, weights = 0;
  for (int64_t i = threadIdx.x; i < w.rows; i += kBlock) {
    const C d = distances[i];
    auto pair = center.pair(d, w.labels[i] == label);
    if (w.group_of[i] == group) {
      pair.value += center.own(d).value;
      pair.weight += center.own(d).weight;
    }
    value += pair.value;
    weights += pair.weight;
    distances[i] = -pair.weight;
  }
  report_sums(w, group, value, weights);
}

template <class C>
__global__ void __launch_bounds__(kBlock) weigh_hardest_kernel(CmdcLoss p, RowGroups groups, Weighing<C> w) {
  TYTO_SHARED_ARRAY(C, farthest_values, kReduceWarps);
  TYTO_SHARED_ARRAY(C, nearest_values, kReduceWarps);
  TYTO_SHARED_ARRAY(int32_t, farthest_places, kReduceWarps);
  TYTO_SHARED_ARRAY(int32_t, nearest_places, kReduceWarps);
  const int32_t group = static_cast<int32_t>(blockIdx.x), count = *groups.count;
  if (group >= count) return;
  const CmdcCenter<C> center(p, groups, count, group, w.rows);
  const int32_t label = groups.labels[group];
  C* distances = w.weights + group * w.rows;
  NumberAt<C> farthest, nearest;
  for (int64_t i = threadIdx.x; i < w.rows; i += kBlock) {
    const C d = distances[i];
    const auto at = static_cast<int32_t>(i);
    if (w.labels[i] == label)
      farthest = first_larger(farthest, {d, at});
    else
      nearest = first_larger(nearest, {-d, at});
  }
  farthest = first_largest(farthest, farthest_values, farthest_places);
  nearest = first_largest(nearest, nearest_values, nearest_places);
  C value = 0, weights = 0;
  for (int64_t i = threadIdx.x; i < w.rows; i += kBlock) {
    const C d = distances[i];
    typename CmdcCenter<C>::Pair pair{};
    if (i == farthest.at) pair = center.pair(d, true);
    if (i == nearest.at) pair = center.pair(d, false);
    if (w.group_of[i] == group) {
      pair.value += center.own(d).value;
      pair.weight += center.own(d).weight;
    }
    value += pair.value;
    weights += pair.weight;
    distances[i] = -pair.weight;
  }
  report_sums(w, group, value, weights);
}

// A warp's lanes take 32 columns, the warps of a block each an eighth of the centres.
template <class C>
__global__ void __launch_bounds__(kBlock)
    sum_columns_kernel(const C* __restrict__ weights, const int32_t* __restrict__ count, int64_t rows,
                       C* __restrict__ row_sums) {
  TYTO_SHARED_ARRAY(C, partial, kBlock);
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int64_t row = static_cast<int64_t>(blockIdx.x) * kWarp + lane;
  C sum = 0;
  if (row < rows)
    for (int32_t g = static_cast<int32_t>(threadIdx.x) / kWarp; g < *count; g += kReduceWarps)
      sum -= weights[g * rows + row];
  partial[threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.x >= kWarp || row >= rows) return;
  for (int warp = 1; warp < kReduceWarps; ++warp) sum += partial[warp * kWarp + lane];
  row_sums[row] = sum;
}

// What the weighted sums lack; divided by the members that each is a mean of, unless centres are learned.
template <class C>
__global__ void __launch_bounds__(kBlock)
    center_gradients_kernel(const C* __restrict__ centers, const C* __restrict__ center_sums,
                            RowGroups groups, int64_t width, bool learned, C* __restrict__ gradients) {
  const int32_t group = static_cast<int32_t>(blockIdx.x);
  if (group >= *groups.count) return;
  const C sum = center_sums[group];
  const C by = learned ? C{1} : C{1} / static_cast<C>(groups.begins[group + 1] - groups.begins[group]);
  for (int64_t j = threadIdx.x; j < width; j += kBlock) {
    const int64_t at = group * width + j;
    gradients[at] = by * (gradients[at] + sum * centers[at]);
  }
}

// center_gradients: null where centres are learned.
template <class C>
__global__ void __launch_bounds__(kBlock)
    row_gradients_kernel(const C* __restrict__ x, const C* __restrict__ row_sums,
                         const C* __restrict__ center_gradients, const int32_t* __restrict__ group_of,
                         int64_t width, C* __restrict__ gradients) {
  const int64_t row = blockIdx.x;
  const C sum = row_sums[row];
  const C* of_center = center_gradients == nullptr ? nullptr : center_gradients + group_of[row] * width;
  for (int64_t j = threadIdx.x; j < width; j += kBlock) {
    const int64_t at = row * width + j;
    const C direct = gradients[at] + sum * x[at];
    gradients[at] = of_center == nullptr ? direct : direct + of_center[j];
  }
}

}  // namespace

template <class T>
int64_t cmdc_loss_workspace(int64_t rows, int64_t width) {
  using C = Computed<T>;
  Workspace measured;
  CmdcMemory<C>(measured, rows, width, row_pairs_workspace<C>(rows, rows, width));
  return measured.bytes();
}

template <class T>
void cmdc_loss(const LabelledRows<T>& in, const int32_t* modalities, const LearnedCenters<T>& learned,
               const CmdcLoss& p, const LossOutput<T>& out, void* workspace, Stream stream) {
  using C = Computed<T>;
  const int64_t n = in.rows, width = in.width;
  checked_int(n * n, "the pairs of a loss");
  Workspace pieces(workspace);
  const CmdcMemory<C> m(pieces, n, width, row_pairs_workspace<C>(n, n, width));
  const bool kept = p.centers == CmdcCenters::Learned, by_modality = p.centers == CmdcCenters::Modality;
  const RowsAs as{.unit = p.normalize};
  clear_status(m.found, stream);
  check_labels(in.labels, n, kept ? learned.classes : 0, LossInput::Labels, m.found, stream);
  if (by_modality) check_labels(modalities, n, 2, LossInput::Modalities, m.found, stream);
  load_rows(in.values, n, width, as, LossInput::Features, m.x, m.lengths, m.found, stream);
  group_rows(in.labels, by_modality ? modalities : nullptr, n, m.groups, stream);
  if (kept)
    gather_centers(learned.values, learned.classes, m.groups, n, width, m.centers, m.found, stream);
  else
    mean_rows(m.x, m.groups, n, width, m.centers, stream);

  const RowPairs<C> pairs{m.centers, m.x, n, n, width, m.groups.count};
  row_distances(pairs, m.weights, m.products, stream);
  const LaunchConfig block_a_row{.grid = blocks_for(n, 1), .block = kBlock, .stream = stream};
  const Weighing<C> weighing{in.labels, m.groups.group_of, n, m.weights, m.values, m.center_sums};
  if (p.mining == CmdcMining::All)
    launch<weigh_all_kernel<C>>(block_a_row, p, m.groups, weighing);
  else
    launch<weigh_hardest_kernel<C>>(block_a_row, p, m.groups, weighing);
  sum_values(m.values, &m.groups, n, out.value, stream);
  finish_loss(m.found, out.value, 1, out.status, stream);

  if (kept ? learned.gradient != nullptr : out.gradient != nullptr) {
    weighted_rows(pairs, m.weights, SumOver::B, false, m.center_gradients, m.products, stream);
    launch<center_gradients_kernel<C>>(block_a_row, m.centers, m.center_sums, m.groups, width, kept,
                                       m.center_gradients);
  }
  if (kept && learned.gradient != nullptr)
    scatter_center_gradients(m.center_gradients, m.groups, learned.classes, width, out.scale, m.found,
                             learned.gradient, stream);
  if (out.gradient == nullptr) return;
  launch<sum_columns_kernel<C>>({.grid = blocks_for(n, kWarp), .block = kBlock, .stream = stream}, m.weights,
                                m.groups.count, n, m.row_sums);
  weighted_rows(pairs, m.weights, SumOver::A, false, m.gradients, m.products, stream);
  launch<row_gradients_kernel<C>>(block_a_row, m.x, m.row_sums, kept ? nullptr : m.center_gradients,
                                  m.groups.group_of, width, m.gradients);
  store_row_gradients(m.gradients, m.x, m.lengths, n, width, as, out.scale, m.found, out.gradient, stream);
}

#define TYTO_INSTANTIATE(T)                                                                                  \
  template int64_t cmdc_loss_workspace<T>(int64_t, int64_t);                                                 \
  template void cmdc_loss(const LabelledRows<T>&, const int32_t*, const LearnedCenters<T>&, const CmdcLoss&, \
                          const LossOutput<T>&, void*, Stream);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
TYTO_INSTANTIATE(Half)
TYTO_INSTANTIATE(BFloat16)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels
