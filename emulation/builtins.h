// CUDA's built-in variables.
#pragma once

#include <cuda_runtime_api.h>  // whose own members gridDim and blockDim must come before the macros
#include <vector_types.h>

namespace emulation {

// By value and from another translation unit: instrumented code sees no access to the emulation's own memory.
// A kernel's thread keeps its place, so that the compiler may ask once.
[[gnu::const]] uint3 thread_index();
[[gnu::const]] uint3 block_index();
[[gnu::const]] dim3 block_size();
[[gnu::const]] dim3 grid_size();

}  // namespace emulation

#define threadIdx (::emulation::thread_index())
#define blockIdx (::emulation::block_index())
#define blockDim (::emulation::block_size())
#define gridDim (::emulation::grid_size())

inline constexpr int warpSize = 32;
