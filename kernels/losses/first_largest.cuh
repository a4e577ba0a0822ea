// The largest of a block's numbers, and of equal ones the first.
#pragma once

#include "kernels/common/row_reduce.cuh"

namespace tyto::kernels {

template <class C>
struct NumberAt {
  C v = 0;
  int32_t at = -1;  // nowhere
};

template <class C>
__device__ NumberAt<C> first_larger(const NumberAt<C>& a, const NumberAt<C>& b) {
  if (b.at < 0) return a;
  if (a.at < 0) return b;
  const bool equal = !(a.v > b.v) && !(b.v > a.v);
  return (equal ? a.at < b.at : a.v > b.v) ? a : b;
}

// Every thread of a block of kReduceBlock gets the result. values, places: shared, [kReduceWarps], used by
// this call alone.
template <class C>
__device__ NumberAt<C> first_largest(NumberAt<C> n, C* values, int32_t* places) {
#pragma unroll
  for (int distance = kWarp / 2; distance > 0; distance /= 2)
    n = first_larger(n, NumberAt<C>{__shfl_xor_sync(kFullWarp, n.v, distance),
                                    __shfl_xor_sync(kFullWarp, n.at, distance)});
  if (threadIdx.x % kWarp == 0) {
    values[threadIdx.x / kWarp] = n.v;
    places[threadIdx.x / kWarp] = n.at;
  }
  __syncthreads();
  n = {values[0], places[0]};
#pragma unroll
  for (int warp = 1; warp < kReduceWarps; ++warp) n = first_larger(n, {values[warp], places[warp]});
  return n;
}

}  // namespace tyto::kernels
