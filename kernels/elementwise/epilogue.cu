// y = activation(x + residual + bias): a thread moves 16 bytes of each. Bound by memory: x, the residual and
// y once each; the bias stays in L1.
#include "kernels/elementwise/epilogue.h"

#include "kernels/common/elements.cuh"
#include "kernels/common/launch.h"

namespace tyto::kernels {
namespace {

constexpr int kBlock = 256;

// x, residual and y may be one array: each element is read by the thread that writes it.
template <class T, int N>
__global__ void __launch_bounds__(kBlock)
    epilogue_kernel(const T* x, const T* __restrict__ bias, const T* residual, Activation activation,
                    unsigned packs, unsigned row_packs, T* y) {
  const unsigned pack = blockIdx.x * kBlock + threadIdx.x;
  if (pack >= packs) return;
  float v[N];
  load<N>(x + pack * N, v);
  const auto add = [&](const T* from) {
    float w[N];
    load<N>(from, w);
#pragma unroll
    for (int i = 0; i < N; ++i) v[i] += w[i];
  };
  if (residual) add(residual + pack * N);
  if (bias) add(bias + pack % row_packs * N);
  activate(v, activation);
  store<N>(v, y + pack * N);
}

}  // namespace

template <class T>
void epilogue(Nhwc<const T> x, const T* bias, const T* residual, Activation activation, T* y, Stream stream) {
  const int elements = checked_int(x.elements(), "activations");
  // Without a bias nothing depends on the channel: all is one row.
  const int64_t row = bias ? x.channels : elements;
  const auto go = [&]<int N>() {
    launch<epilogue_kernel<T, N>>(
        {.grid = blocks_for(elements / N, kBlock), .block = kBlock, .stream = stream}, x.data, bias, residual,
        activation, static_cast<unsigned>(elements / N), static_cast<unsigned>(row / N), y);
  };
  if (packable<kPack<T>>(row, x.data, bias, residual, y))
    go.template operator()<kPack<T>>();
  else
    go.template operator()<1>();
}

template void epilogue<float>(Nhwc<const float>, const float*, const float*, Activation, float*, Stream);
template void epilogue<Half>(Nhwc<const Half>, const Half*, const Half*, Activation, Half*, Stream);
template void epilogue<BFloat16>(Nhwc<const BFloat16>, const BFloat16*, const BFloat16*, Activation,
                                 BFloat16*, Stream);

}  // namespace tyto::kernels
