// Rows into groups, and between rows and the centres of groups. How many groups there are is read on the
// device, so launches are for as many as rows, and the blocks behind the last group end at once.
//
// Cost: grouping compares each row's key with all others (n^2 / 256 reads of keys, from L1) and numbers the
// groups in one block; the others read and write each row once. Bound by memory, of small batches by
// launches.
#include "kernels/common/launch.h"
#include "kernels/common/row_reduce.cuh"
#include "kernels/losses/class_centers_math.h"
#include "kernels/losses/faults.cuh"

namespace tyto::kernels {
namespace {

constexpr int kBlock = kReduceBlock;

// A row's place is the number of smaller keys; no two are equal.
__global__ void __launch_bounds__(kBlock)
    sort_rows_kernel(const int32_t* __restrict__ labels, const int32_t* __restrict__ modalities, int64_t rows,
                     uint64_t* __restrict__ sorted) {
  TYTO_SHARED_ARRAY(uint64_t, keys, kBlock);
  const auto key_of = [&](int64_t i) {
    return group_key(labels[i], modalities == nullptr ? 0 : modalities[i], i);
  };
  const int64_t row = static_cast<int64_t>(blockIdx.x) * kBlock + threadIdx.x;
  const uint64_t key = row < rows ? key_of(row) : 0;
  int64_t smaller = 0;
  for (int64_t first = 0; first < rows; first += kBlock) {
    const int64_t other = first + threadIdx.x;
    keys[threadIdx.x] = other < rows ? key_of(other) : ~uint64_t{0};
    __syncthreads();
#pragma unroll 8
    for (int i = 0; i < kBlock; ++i) smaller += keys[i] < key;
    __syncthreads();
  }
  if (row < rows) sorted[smaller] = key;
}

__global__ void __launch_bounds__(kBlock)
    number_groups_kernel(const uint64_t* __restrict__ sorted, int64_t rows, RowGroups groups) {
  TYTO_SHARED_ARRAY(int, begun, kReduceWarps);
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  int before = 0;  // groups of earlier rows
  for (int64_t first = 0; first < rows; first += kBlock) {
    const int64_t i = first + threadIdx.x;
    const uint64_t key = i < rows ? sorted[i] : 0;
    const bool begins = i < rows && (i == 0 || !same_group(sorted[i - 1], key));
    const unsigned votes = __ballot_sync(kFullWarp, begins);
    if (lane == 0) begun[warp] = __popc(votes);
    __syncthreads();
    int group = before + __popc(votes & (kFullWarp >> (kWarp - 1 - lane))) - 1;
    for (int w = 0; w < kReduceWarps; ++w) {
      if (w < warp) group += begun[w];
      before += begun[w];
    }
    if (i < rows) {
      const int32_t row = row_of_key(key);
      groups.members[i] = row;
      groups.group_of[row] = group;
    }
    if (begins) {
      groups.labels[group] = label_of_key(key);
      groups.begins[group] = static_cast<int32_t>(i);
    }
    __syncthreads();
  }
  if (threadIdx.x == 0) {
    groups.begins[before] = static_cast<int32_t>(rows);
    *groups.count = before;
  }
}

template <class C>
__global__ void __launch_bounds__(kBlock)
    mean_rows_kernel(const C* __restrict__ x, RowGroups groups, int64_t width, C* __restrict__ centers) {
  const int32_t group = static_cast<int32_t>(blockIdx.x);
  if (group >= *groups.count) return;
  const int32_t begin = groups.begins[group], end = groups.begins[group + 1];
  for (int64_t j = threadIdx.x; j < width; j += kBlock) {
    C sum = 0;
    for (int32_t i = begin; i < end; ++i) sum += x[groups.members[i] * width + j];
    centers[group * width + j] = sum / static_cast<C>(end - begin);
  }
}

template <class C>
__global__ void __launch_bounds__(kBlock)
    spread_mean_gradients_kernel(const C* __restrict__ center_gradients, RowGroups groups, int64_t width,
                                 C* __restrict__ gradients) {
  const int64_t row = blockIdx.x;
  const int32_t group = groups.group_of[row];
  const C by = C{1} / static_cast<C>(groups.begins[group + 1] - groups.begins[group]);
  for (int64_t j = threadIdx.x; j < width; j += kBlock)
    gradients[row * width + j] = by * center_gradients[group * width + j];
}

template <class T>
__global__ void __launch_bounds__(kBlock)
    gather_centers_kernel(const T* __restrict__ learned, int64_t classes, RowGroups groups, int64_t width,
                          Computed<T>* __restrict__ centers, LossStatus* found) {
  using C = Computed<T>;
  const int32_t group = static_cast<int32_t>(blockIdx.x);
  if (group >= *groups.count) return;
  const int64_t label = groups.labels[group];
  const bool exists = label < classes;  // or its row is a fault already
  bool finite = true;
  for (int64_t j = threadIdx.x; j < width; j += kBlock) {
    const C v = exists ? computed(learned[label * width + j]) : C{0};
    finite = finite && isfinite(v);
    centers[group * width + j] = v;
  }
  if (!finite) report(found, LossFault::NotFinite, LossInput::Centers, label);
}

template <class T>
__global__ void __launch_bounds__(kBlock)
    scatter_center_gradients_kernel(const Computed<T>* __restrict__ center_gradients, RowGroups groups,
                                    int64_t width, double scale, const LossStatus* __restrict__ found,
                                    T* __restrict__ to) {
  using C = Computed<T>;
  const int64_t label = blockIdx.x;
  const int32_t group = find_group(groups, static_cast<int32_t>(label));
  const C by = *found != 0 ? not_a_number<C>() : static_cast<C>(scale);
  for (int64_t j = threadIdx.x; j < width; j += kBlock)
    to[label * width + j] = rounded_to<T>(by * (group < 0 ? C{0} : center_gradients[group * width + j]));
}

template <class C>
__global__ void __launch_bounds__(kBlock)
    sum_values_kernel(const C* __restrict__ values, const int32_t* __restrict__ count, int64_t rows,
                      C* value) {
  TYTO_SHARED_ARRAY(C, partial, kReduceWarps);
  const int64_t all = count == nullptr ? rows : *count;
  C sum = 0;
  for (int64_t i = threadIdx.x; i < all; i += kBlock) sum += values[i];
  sum = row_reduce<Plus, kBlock>(sum, partial);
  if (threadIdx.x == 0) *value = sum;
}

LaunchConfig block_a_row(int64_t rows, Stream stream) {
  return {.grid = blocks_for(rows, 1), .block = kBlock, .stream = stream};
}

}  // namespace

void group_rows(const int32_t* labels, const int32_t* modalities, int64_t rows, const RowGroups& groups,
                Stream stream) {
  checked_int(rows, "the rows of a loss");
  launch<sort_rows_kernel>({.grid = blocks_for(rows, kBlock), .block = kBlock, .stream = stream}, labels,
                           modalities, rows, groups.sorted);
  launch<number_groups_kernel>({.grid = 1, .block = kBlock, .stream = stream}, groups.sorted, rows, groups);
}

template <class C>
void mean_rows(const C* x, const RowGroups& groups, int64_t rows, int64_t width, C* centers, Stream stream) {
  launch<mean_rows_kernel<C>>(block_a_row(rows, stream), x, groups, width, centers);
}

template <class C>
void spread_mean_gradients(const C* center_gradients, const RowGroups& groups, int64_t rows, int64_t width,
                           C* gradients, Stream stream) {
  launch<spread_mean_gradients_kernel<C>>(block_a_row(rows, stream), center_gradients, groups, width,
                                          gradients);
}

template <class T>
void gather_centers(const T* learned, int64_t classes, const RowGroups& groups, int64_t rows, int64_t width,
                    Computed<T>* centers, LossStatus* found, Stream stream) {
  launch<gather_centers_kernel<T>>(block_a_row(rows, stream), learned, classes, groups, width, centers,
                                   found);
}

template <class T>
void scatter_center_gradients(const Computed<T>* center_gradients, const RowGroups& groups, int64_t classes,
                              int64_t width, double scale, const LossStatus* found, T* to, Stream stream) {
  launch<scatter_center_gradients_kernel<T>>(block_a_row(classes, stream), center_gradients, groups, width,
                                             scale, found, to);
}

template <class C>
void sum_values(const C* values, const RowGroups* groups, int64_t rows, C* value, Stream stream) {
  launch<sum_values_kernel<C>>({.grid = 1, .block = kBlock, .stream = stream}, values,
                               groups == nullptr ? nullptr : groups->count, rows, value);
}

#define TYTO_INSTANTIATE(C)                                                                      \
  template void mean_rows(const C*, const RowGroups&, int64_t, int64_t, C*, Stream);             \
  template void spread_mean_gradients(const C*, const RowGroups&, int64_t, int64_t, C*, Stream); \
  template void sum_values(const C*, const RowGroups*, int64_t, C*, Stream);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
#undef TYTO_INSTANTIATE

#define TYTO_INSTANTIATE(T)                                                                              \
  template void gather_centers(const T*, int64_t, const RowGroups&, int64_t, int64_t, Computed<T>*,      \
                               LossStatus*, Stream);                                                     \
  template void scatter_center_gradients(const Computed<T>*, const RowGroups&, int64_t, int64_t, double, \
                                         const LossStatus*, T*, Stream);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
TYTO_INSTANTIATE(Half)
TYTO_INSTANTIATE(BFloat16)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels
