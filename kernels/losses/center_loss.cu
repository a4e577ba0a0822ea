// Centre loss: a block takes a row for the value and its gradient, and a group for its centre's.
//
// Cost for n rows of width d: about 9 n d numbers moved with both gradients. Bound by memory.
#include "kernels/common/launch.h"
#include "kernels/common/row_reduce.cuh"
#include "kernels/losses/center_loss_memory.h"
#include "kernels/losses/faults.cuh"

namespace tyto::kernels {
namespace {

constexpr int kBlock = kReduceBlock;

template <class C>
__global__ void __launch_bounds__(kBlock)
    subtract_centers_kernel(const C* __restrict__ x, const C* __restrict__ centers,
                            const int32_t* __restrict__ group_of, int64_t width, C* __restrict__ values,
                            C* __restrict__ gradients) {
  TYTO_SHARED_ARRAY(C, partial, kReduceWarps);
  const int64_t row = blockIdx.x;
  const C* center = centers + group_of[row] * width;
  C squares = 0;
  for (int64_t j = threadIdx.x; j < width; j += kBlock) {
    const C apart = x[row * width + j] - center[j];
    squares += apart * apart;
    gradients[row * width + j] = apart;
  }
  squares = row_reduce<Plus, kBlock>(squares, partial);
  if (threadIdx.x == 0) values[row] = squares / 2;
}

// to = sum over members of c - x.
template <class C>
__global__ void __launch_bounds__(kBlock)
    sum_differences_kernel(const C* __restrict__ x, const C* __restrict__ centers, RowGroups groups,
                           int64_t width, C* __restrict__ to) {
  const int32_t group = static_cast<int32_t>(blockIdx.x);
  if (group >= *groups.count) return;
  const int32_t begin = groups.begins[group], end = groups.begins[group + 1];
  for (int64_t j = threadIdx.x; j < width; j += kBlock) {
    const C center = centers[group * width + j];
    C sum = 0;
    for (int32_t i = begin; i < end; ++i) sum += center - x[groups.members[i] * width + j];
    to[group * width + j] = sum;
  }
}

template <class T>
__global__ void __launch_bounds__(kBlock)
    update_centers_kernel(const Computed<T>* __restrict__ centers,
                          const Computed<T>* __restrict__ differences, RowGroups groups, int64_t width,
                          double rate, const LossStatus* __restrict__ found, T* __restrict__ to) {
  using C = Computed<T>;
  const int32_t group = static_cast<int32_t>(blockIdx.x);
  if (group >= *groups.count || *found != 0) return;
  const C by = static_cast<C>(rate / (1 + groups.begins[group + 1] - groups.begins[group]));
  to += groups.labels[group] * width;
  for (int64_t j = threadIdx.x; j < width; j += kBlock)
    to[j] = rounded_to<T>(centers[group * width + j] - by * differences[group * width + j]);
}

// Checks and loads features and the centres of their classes.
template <class T>
CenterLossMemory<Computed<T>> load(const LabelledRows<T>& in, const T* centers, int64_t classes,
                                   const RowsAs& as, void* workspace, Stream stream) {
  Workspace pieces(workspace);
  const CenterLossMemory<Computed<T>> m(pieces, in.rows, in.width);
  clear_status(m.found, stream);
  check_labels(in.labels, in.rows, classes, LossInput::Labels, m.found, stream);
  load_rows(in.values, in.rows, in.width, as, LossInput::Features, m.x, m.lengths, m.found, stream);
  group_rows(in.labels, nullptr, in.rows, m.groups, stream);
  gather_centers(centers, classes, m.groups, in.rows, in.width, m.centers, m.found, stream);
  return m;
}

LaunchConfig block_a_row(int64_t rows, Stream stream) {
  return {.grid = blocks_for(rows, 1), .block = kBlock, .stream = stream};
}

template <class C>
void sum_differences(const CenterLossMemory<C>& m, int64_t rows, int64_t width, Stream stream) {
  launch<sum_differences_kernel<C>>(block_a_row(rows, stream), m.x, m.centers, m.groups, width,
                                    m.center_gradients);
}

}  // namespace

template <class T>
int64_t center_loss_workspace(int64_t rows, int64_t width) {
  Workspace measured;
  CenterLossMemory<Computed<T>>(measured, rows, width);
  return measured.bytes();
}

template <class T>
void center_loss(const LabelledRows<T>& in, const LearnedCenters<T>& centers, const CenterLoss& p,
                 const LossOutput<T>& out, void* workspace, Stream stream) {
  using C = Computed<T>;
  const int64_t n = in.rows, width = in.width;
  const RowsAs as{.unit = p.normalize};
  const CenterLossMemory<C> m = load(in, centers.values, centers.classes, as, workspace, stream);
  launch<subtract_centers_kernel<C>>(block_a_row(n, stream), m.x, m.centers, m.groups.group_of, width,
                                     m.values, m.gradients);
  sum_values<C>(m.values, nullptr, n, out.value, stream);
  finish_loss(m.found, out.value, 1, out.status, stream);
  if (centers.gradient != nullptr) {
    sum_differences(m, n, width, stream);
    scatter_center_gradients(m.center_gradients, m.groups, centers.classes, width, out.scale, m.found,
                             centers.gradient, stream);
  }
  if (out.gradient != nullptr)
    store_row_gradients(m.gradients, m.x, m.lengths, n, width, as, out.scale, m.found, out.gradient, stream);
}

template <class T>
void update_centers(const LabelledRows<T>& in, const UpdateCenters& p, int64_t classes, T* centers,
                    LossStatus* status, void* workspace, Stream stream) {
  using C = Computed<T>;
  const CenterLossMemory<C> m = load<T>(in, centers, classes, {.unit = p.normalize}, workspace, stream);
  finish_loss<C>(m.found, nullptr, 0, status, stream);
  sum_differences(m, in.rows, in.width, stream);
  launch<update_centers_kernel<T>>(block_a_row(in.rows, stream), m.centers, m.center_gradients, m.groups,
                                   in.width, p.rate, m.found, centers);
}

#define TYTO_INSTANTIATE(T)                                                                            \
  template int64_t center_loss_workspace<T>(int64_t, int64_t);                                         \
  template void center_loss(const LabelledRows<T>&, const LearnedCenters<T>&, const CenterLoss&,       \
                            const LossOutput<T>&, void*, Stream);                                      \
  template void update_centers(const LabelledRows<T>&, const UpdateCenters&, int64_t, T*, LossStatus*, \
                               void*, Stream);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
TYTO_INSTANTIATE(Half)
TYTO_INSTANTIATE(BFloat16)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels
