// Softmax. Along the last dimension a warp or a block owns a row (kernels/common/row_reduce.cuh) and reads it
// three times: for its largest element, for the sum and for the result. Along any other a thread owns a
// column and walks it as often; neighbouring threads have neighbouring columns.
//
// Cost: a row is read from memory once, then from L1, or from L2 where it is longer than some 8000 elements;
// y is written once. Two e^x an element: some 40 instructions, which take as long as the memory in half
// precision. A few long columns leave most of a GPU idle.
#include "kernels/norm/softmax.h"

#include "kernels/common/row_reduce.cuh"

namespace tyto::kernels {
namespace {

constexpr int kBlock = 256;

// x and y may be one array: each element is read by the thread that writes it, and not after.
template <class T, int N, int kThreads>
__global__ void __launch_bounds__(kReduceBlock)
    softmax_rows_kernel(const T* x, int64_t rows, int size, T* y) {
  TYTO_SHARED_ARRAY(float, partial, 2 * kReduceWarps);
  const int64_t row = row_of_thread<kThreads>();
  if (row >= rows) return;
  x += row * size;
  y += row * size;

  float largest = Larger::kStart, sum = 0;
  for_each_pack<N, kThreads>(size, [&](int c) {
    float v[N];
    load<N>(x + c, v);
#pragma unroll
    for (int i = 0; i < N; ++i) largest = Larger{}(largest, v[i]);
  });
  largest = row_reduce<Larger, kThreads>(largest, partial);
  for_each_pack<N, kThreads>(size, [&](int c) {
    float v[N];
    load<N>(x + c, v);
#pragma unroll
    for (int i = 0; i < N; ++i) sum += expf(v[i] - largest);
  });
  const float by = 1 / row_reduce<Plus, kThreads>(sum, partial + kReduceWarps);
  for_each_pack<N, kThreads>(size, [&](int c) {
    float v[N];
    load<N>(x + c, v);
#pragma unroll
    for (int i = 0; i < N; ++i) v[i] = expf(v[i] - largest) * by;
    store<N>(v, y + c);
  });
}

template <class T>
__global__ void __launch_bounds__(kBlock)
    softmax_columns_kernel(const T* x, int64_t columns, int size, int64_t inner, T* y) {
  const int64_t column = static_cast<int64_t>(blockIdx.x) * kBlock + threadIdx.x;
  if (column >= columns) return;
  const int64_t first = column / inner * size * inner + column % inner;
  x += first;
  y += first;
  float largest = Larger::kStart, sum = 0;
#pragma unroll 4
  for (int k = 0; k < size; ++k) largest = Larger{}(largest, as_float(x[k * inner]));
#pragma unroll 4
  for (int k = 0; k < size; ++k) sum += expf(as_float(x[k * inner]) - largest);
  const float by = 1 / sum;
#pragma unroll 4
  for (int k = 0; k < size; ++k) y[k * inner] = from_float<T>(expf(as_float(x[k * inner]) - largest) * by);
}

// An element's comparison, difference, sum and product.
ScalarWork work_of(int64_t elements) {
  const auto all = static_cast<double>(elements);
  return {.operations = 4 * all, .exponentials = all};
}

template <class T>
void softmax_rows(const T* x, int64_t rows, int size, T* y, Stream stream) {
  const auto go = [&]<int N, int kThreads>() {
    LaunchConfig config = cover_reduced_rows<kThreads>(rows, stream);
    config.work = work_of(rows * size);
    launch<softmax_rows_kernel<T, N, kThreads>>(config, x, rows, size, y);
  };
  if (packable<kPack<T>>(size, x, y))
    with_row_threads<kPack<T>>(size, go);
  else
    with_row_threads<1>(size, go);
}

}  // namespace

template <class T>
void softmax(const T* x, const Axis& axis, T* y, Stream stream) {
  const int size = checked_int(axis.size, "a dimension of softmax");
  if (axis.inner == 1) return softmax_rows(x, axis.outer, size, y, stream);
  const int64_t columns = axis.outer * axis.inner;
  launch<softmax_columns_kernel<T>>({.grid = blocks_for(columns, kBlock),
                                     .block = kBlock,
                                     .stream = stream,
                                     .work = work_of(axis.elements())},
                                    x, columns, size, axis.inner, y);
}

template void softmax<float>(const float*, const Axis&, float*, Stream);
template void softmax<Half>(const Half*, const Axis&, Half*, Stream);
template void softmax<BFloat16>(const BFloat16*, const Axis&, BFloat16*, Stream);

}  // namespace tyto::kernels
