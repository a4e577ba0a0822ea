// Layer normalisation: a warp or a block owns a row (kernels/common/row_reduce.cuh) and reads it three times:
// for the mean, for the variance and for the result. Lanes move 8 or 16 bytes, four elements, because scale
// and shift are floats.
//
// Cost: a row is read from memory once and then from L1, y is written once; bound by memory.
#include "kernels/norm/layer_norm.h"

#include "kernels/common/row_reduce.cuh"

namespace tyto::kernels {
namespace {

// x and y may be one array: each element is read by the thread that writes it, and not after.
template <class T, int N, int kThreads>
__global__ void __launch_bounds__(kReduceBlock)
    layer_norm_kernel(const T* x, int64_t rows, int width, const float* __restrict__ scale,
                      const float* __restrict__ shift, float epsilon, T* y) {
  TYTO_SHARED_ARRAY(float, partial, 2 * kReduceWarps);
  const int64_t row = row_of_thread<kThreads>();
  if (row >= rows) return;
  x += row * width;
  y += row * width;

  float sum = 0, squares = 0;
  for_each_pack<N, kThreads>(width, [&](int c) {
    float v[N];
    load<N>(x + c, v);
#pragma unroll
    for (int i = 0; i < N; ++i) sum += v[i];
  });
  const float mean = row_reduce<Plus, kThreads>(sum, partial) / static_cast<float>(width);
  for_each_pack<N, kThreads>(width, [&](int c) {
    float v[N];
    load<N>(x + c, v);
#pragma unroll
    for (int i = 0; i < N; ++i) squares += (v[i] - mean) * (v[i] - mean);
  });
  const float variance =
      row_reduce<Plus, kThreads>(squares, partial + kReduceWarps) / static_cast<float>(width);
  const float by = 1 / sqrtf(variance + epsilon);
  for_each_pack<N, kThreads>(width, [&](int c) {
    float v[N], w[N];
    load<N>(x + c, v);
#pragma unroll
    for (int i = 0; i < N; ++i) v[i] = (v[i] - mean) * by;
    if (scale) {
      load<N>(scale + c, w);
#pragma unroll
      for (int i = 0; i < N; ++i) v[i] *= w[i];
    }
    if (shift) {
      load<N>(shift + c, w);
#pragma unroll
      for (int i = 0; i < N; ++i) v[i] += w[i];
    }
    store<N>(v, y + c);
  });
}

}  // namespace

template <class T>
void layer_norm(const T* x, int64_t rows, int64_t width, const float* scale, const float* shift,
                float epsilon, T* y, Stream stream) {
  const int columns = checked_int(width, "a row of layer norm");
  const auto go = [&]<int N, int kThreads>() {
    launch<layer_norm_kernel<T, N, kThreads>>(cover_reduced_rows<kThreads>(rows, stream), x, rows, columns,
                                              scale, shift, epsilon, y);
  };
  constexpr int N = kPack<float>;
  if (packable<N>(width, x, y) && packable<N>(width, scale, shift))
    with_row_threads<N>(width, go);
  else
    with_row_threads<1>(width, go);
}

template void layer_norm<float>(const float*, int64_t, int64_t, const float*, const float*, float, float*,
                                Stream);
template void layer_norm<Half>(const Half*, int64_t, int64_t, const float*, const float*, float, Half*,
                               Stream);
template void layer_norm<BFloat16>(const BFloat16*, int64_t, int64_t, const float*, const float*, float,
                                   BFloat16*, Stream);

}  // namespace tyto::kernels
