// Reductions along one dimension. Along the last a warp or a block owns a row
// (kernels/common/row_reduce.cuh), along any other a block owns 64 bytes of neighbouring columns
// (kernels/common/channel_columns.cuh), as pooling does over an NHWC map.
//
// Cost: each input read once; bound by memory, where there is little of it by latency.
#include "kernels/pooling/reduce.h"

#include "kernels/common/channel_columns.cuh"
#include "kernels/common/row_reduce.cuh"

namespace tyto::kernels {
namespace {

template <class T, class Combine, int N, int kThreads>
__global__ void __launch_bounds__(kReduceBlock)
    reduce_rows_kernel(const T* __restrict__ x, int rows, int size, float divisor, T* __restrict__ y) {
  TYTO_SHARED_ARRAY(float, partial, kReduceWarps);
  const int64_t row = row_of_thread<kThreads>();
  if (row >= rows) return;
  float mine = Combine::kStart;
  for_each_pack<N, kThreads>(size, [&](int c) {
    float v[N];
    load<N>(x + row * size + c, v);
#pragma unroll
    for (int i = 0; i < N; ++i) mine = Combine{}(mine, v[i]);
  });
  const float all = row_reduce<Combine, kThreads>(mine, partial);
  if (threadIdx.x % kThreads == 0) y[row] = from_float<T>(all / divisor);
}

template <class T, class Combine, int N>
__global__ void __launch_bounds__(kColumnBlock)
    reduce_columns_kernel(const T* __restrict__ x, int size, int inner, float divisor, T* __restrict__ y) {
  constexpr int kChannels = kColumnChannels<N>;
  TYTO_SHARED_ARRAY(float, partial, kColumnWarps* kChannels);
  const int chunks = (inner + kChannels - 1) / kChannels, thread = threadIdx.x;
  const int outer = blockIdx.x / chunks, first = blockIdx.x % chunks * kChannels;
  const float all = column_reduce<Combine, N>(x + outer * size * inner, size, inner, first, partial,
                                              [](float v) { return v; });
  if (thread >= kChannels || first + thread >= inner) return;
  y[outer * inner + first + thread] = from_float<T>(all / divisor);
}

template <class T, class Combine>
void reduce_with(const T* x, const Axis& axis, float divisor, T* y, Stream stream) {
  const int outer = static_cast<int>(axis.outer), size = static_cast<int>(axis.size),
            inner = static_cast<int>(axis.inner);
  const auto rows = [&]<int N, int kThreads>() {
    launch<reduce_rows_kernel<T, Combine, N, kThreads>>(cover_reduced_rows<kThreads>(outer, stream), x, outer,
                                                        size, divisor, y);
  };
  const auto columns = [&]<int N>() {
    launch<reduce_columns_kernel<T, Combine, N>>(cover_columns<N>(outer, inner, stream), x, size, inner,
                                                 divisor, y);
  };
  const bool packs = packable<kPack<T>>(inner == 1 ? size : inner, x);
  if (inner == 1 && packs)
    with_row_threads<kPack<T>>(size, rows);
  else if (inner == 1)
    with_row_threads<1>(size, rows);
  else if (packs)
    columns.template operator()<kPack<T>>();
  else
    columns.template operator()<1>();
}

}  // namespace

template <class T>
void reduce(const T* x, const Axis& axis, Reduction reduction, T* y, Stream stream) {
  if (checked_int(axis.elements(), "an array to reduce") == 0) return;
  switch (reduction) {
    case Reduction::Mean:
      return reduce_with<T, Plus>(x, axis, static_cast<float>(axis.size), y, stream);
    case Reduction::Max:
      return reduce_with<T, Larger>(x, axis, 1, y, stream);
    case Reduction::Sum:
      return reduce_with<T, Plus>(x, axis, 1, y, stream);
  }
}

template void reduce<float>(const float*, const Axis&, Reduction, float*, Stream);
template void reduce<Half>(const Half*, const Axis&, Reduction, Half*, Stream);
template void reduce<BFloat16>(const BFloat16*, const Axis&, Reduction, BFloat16*, Stream);

}  // namespace tyto::kernels
