// The mean of what rows come to. One block, since there is a number for every eight short rows or a long one.
#include "kernels/losses/row_losses.h"

#include "kernels/common/row_reduce.cuh"

namespace tyto::kernels {
namespace {

template <class C>
__global__ void __launch_bounds__(kReduceBlock)
    mean_of_losses_kernel(const double* __restrict__ losses, int64_t count, double rows,
                          const unsigned long long* __restrict__ ignored, C* value) {
  TYTO_SHARED_ARRAY(double, partial, kReduceWarps);
  double sum = 0;
#pragma unroll 8
  for (int64_t i = threadIdx.x; i < count; i += kReduceBlock) sum += losses[i];
  sum = row_reduce<Plus, kReduceBlock>(sum, partial);
  const double counted = ignored == nullptr ? rows : rows - static_cast<double>(*ignored);
  if (threadIdx.x == 0) *value = static_cast<C>(sum / counted);
}

}  // namespace

template <class C>
void mean_of_losses(const double* losses, int64_t count, double rows, const unsigned long long* ignored,
                    C* value, Stream stream) {
  launch<mean_of_losses_kernel<C>>({.grid = 1, .block = kReduceBlock, .stream = stream}, losses, count, rows,
                                   ignored, value);
}

template void mean_of_losses(const double*, int64_t, double, const unsigned long long*, double*, Stream);
template void mean_of_losses(const double*, int64_t, double, const unsigned long long*, float*, Stream);

}  // namespace tyto::kernels
