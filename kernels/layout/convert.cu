// One element type to another; a thread moves four elements, 16 bytes of the wider type. Bound by memory.
#include "kernels/common/elements.cuh"
#include "kernels/common/launch.h"
#include "kernels/layout/convert.h"

namespace tyto::kernels {
namespace {

constexpr int kBlock = 256;
constexpr int kElements = 4;

template <class From, class To>
__global__ void __launch_bounds__(kBlock)
    convert_kernel(const From* from, int64_t count, bool packs, To* to) {
  const int64_t first = (static_cast<int64_t>(blockIdx.x) * kBlock + threadIdx.x) * kElements;
  if (packs && first + kElements <= count) {
    float v[kElements];
    load<kElements>(from + first, v);
    store<kElements>(v, to + first);
    return;
  }
  for (int64_t i = first; i < first + kElements && i < count; ++i) to[i] = from_float<To>(as_float(from[i]));
}

}  // namespace

template <class From, class To>
void convert(const From* from, int64_t count, To* to, Stream stream) {
  const int64_t threads = (count + kElements - 1) / kElements;
  launch<convert_kernel<From, To>>({.grid = blocks_for(threads, kBlock), .block = kBlock, .stream = stream},
                                   from, count, packable<kElements>(kElements, from, to), to);
}

template void convert<float, float>(const float*, int64_t, float*, Stream);
template void convert<float, Half>(const float*, int64_t, Half*, Stream);
template void convert<float, BFloat16>(const float*, int64_t, BFloat16*, Stream);
template void convert<Half, float>(const Half*, int64_t, float*, Stream);
template void convert<Half, Half>(const Half*, int64_t, Half*, Stream);
template void convert<BFloat16, float>(const BFloat16*, int64_t, float*, Stream);
template void convert<BFloat16, BFloat16>(const BFloat16*, int64_t, BFloat16*, Stream);

}  // namespace tyto::kernels
