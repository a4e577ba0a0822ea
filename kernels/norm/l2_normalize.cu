// Each pixel's channels scaled to unit length: a warp owns a pixel, whose channels lie side by side.
//
// The first 512 channels (all of SSD's conv4_3) stay in registers between the sum and the scaling; those of a
// longer pixel are read a second time, out of L1. Lanes move 8 or 16 bytes, four elements, because the scales
// are floats.
//
// Cost: x read and y written once; bound by memory.
#include "kernels/norm/l2_normalize.h"

#include "kernels/common/elements.cuh"
#include "kernels/common/launch.h"
#include "kernels/common/reduce.cuh"

namespace tyto::kernels {
namespace {

constexpr int kBlock = 256;

// x and y may be one array: each element is read by the lane that writes it, and not after.
template <class T, int N>
__global__ void __launch_bounds__(kBlock)
    l2_normalize_kernel(const T* x, const float* __restrict__ scale, int pixels, int channels,
                        L2Normalize params, T* y) {
  constexpr int kHeld = 16 / N, kStep = kWarp * N;  // kHeld strides of the warp are held in registers
  const int pixel = static_cast<int>(blockIdx.x * (kBlock / kWarp) + threadIdx.x / kWarp);
  if (pixel >= pixels) return;
  const int lane = threadIdx.x % kWarp, start = lane * N;
  x += pixel * channels;
  y += pixel * channels;

  float held[kHeld][N], sum = 0;
  const auto add = [&sum](const float(&v)[N]) {
#pragma unroll
    for (int i = 0; i < N; ++i) sum += v[i] * v[i];
  };
#pragma unroll
  for (int k = 0; k < kHeld; ++k)
    if (start + k * kStep < channels) load<N>(x + start + k * kStep, held[k]);
#pragma unroll
  for (int k = 0; k < kHeld; ++k)
    if (start + k * kStep < channels) add(held[k]);
  for (int c = start + kHeld * kStep; c < channels; c += kStep) {
    float v[N];
    load<N>(x + c, v);
    add(v);
  }

  const float length = sqrtf(warp_sum(sum));
  const float factor = 1 / (params.rule == L2Normalize::Epsilon::Added ? length + params.epsilon
                                                                       : fmaxf(length, params.epsilon));
  const auto put = [&](float(&v)[N], int c) {
    float by[N];
    load<N>(scale + c, by);
#pragma unroll
    for (int i = 0; i < N; ++i) v[i] = v[i] * factor * by[i];
    store<N>(v, y + c);
  };
#pragma unroll
  for (int k = 0; k < kHeld; ++k)
    if (start + k * kStep < channels) put(held[k], start + k * kStep);
  for (int c = start + kHeld * kStep; c < channels; c += kStep) {
    float v[N];
    load<N>(x + c, v);
    put(v, c);
  }
}

}  // namespace

template <class T>
void l2_normalize(Nhwc<const T> x, const float* scale, const L2Normalize& params, T* y, Stream stream) {
  if (checked_int(x.elements(), "activations") == 0) return;
  const LaunchConfig config = {
      .grid = blocks_for(x.pixels(), kBlock / kWarp), .block = kBlock, .stream = stream};
  const int pixels = static_cast<int>(x.pixels()), channels = static_cast<int>(x.channels);
  constexpr int N = kPack<float>;
  if (packable<N>(x.channels, x.data, y, scale))
    launch<l2_normalize_kernel<T, N>>(config, x.data, scale, pixels, channels, params, y);
  else
    launch<l2_normalize_kernel<T, 1>>(config, x.data, scale, pixels, channels, params, y);
}

template void l2_normalize<float>(Nhwc<const float>, const float*, const L2Normalize&, float*, Stream);
template void l2_normalize<Half>(Nhwc<const Half>, const float*, const L2Normalize&, Half*, Stream);
template void l2_normalize<BFloat16>(Nhwc<const BFloat16>, const float*, const L2Normalize&, BFloat16*,
                                     Stream);

}  // namespace tyto::kernels
