// Copies from global to shared memory that run beside the computation (cp.async).
//
//   copy_async<16>(&tile[i], &source[j]);  // any number of them
//   commit_async();                        // make a group
//   wait_async<1>();                       // all groups of this thread but its latest one have landed;
//   __syncthreads();                       // so have the other threads'
//
// Emulated, a copy is done at the wait and no earlier, so that a missing wait shows.
#pragma once

#include "kernels/common/cuda.h"

#ifdef TYTO_EMULATED

#include "emulation/async_copy.h"

namespace tyto::kernels {
using emulation::commit_async;
using emulation::copy_async;
using emulation::wait_async;
}  // namespace tyto::kernels

#else

namespace tyto::kernels {

// Bytes: 4, 8 or 16; both addresses are multiples of it. Of the source `valid` bytes are read; zeros follow.
template <int Bytes>
__device__ __forceinline__ void copy_async(void* shared, const void* global, int valid = Bytes) {
  static_assert(Bytes == 4 || Bytes == 8 || Bytes == 16);
  const auto to = static_cast<unsigned>(__cvta_generic_to_shared(shared));
  const size_t from = __cvta_generic_to_global(global);
  if constexpr (Bytes == 16)
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(valid) : "memory");
  else
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(to), "l"(from), "n"(Bytes), "r"(valid)
                 : "memory");
}

__device__ __forceinline__ void commit_async() { asm volatile("cp.async.commit_group;" ::: "memory"); }

template <int Groups>
__device__ __forceinline__ void wait_async() {
  asm volatile("cp.async.wait_group %0;" ::"n"(Groups) : "memory");
}

}  // namespace tyto::kernels

#endif
