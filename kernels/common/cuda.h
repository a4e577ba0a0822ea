// What a .cu file sees of CUDA: nvcc's own, or, where g++ compiles the same file for tests, emulation's.
#pragma once

#ifdef TYTO_EMULATED
#include "emulation/device.h"
#else
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

// Shared memory of fixed size: TYTO_SHARED_ARRAY(float, tile, 32 * 33) declares `float tile[32 * 33]`.
#define TYTO_SHARED_ARRAY(type, name, size) __shared__ type name[size]

// The launch's shared_bytes, aligned to 16: TYTO_SHARED_DYNAMIC(float, rows) declares `float* rows`. Once a
// kernel.
#define TYTO_SHARED_DYNAMIC(type, name)                         \
  extern __shared__ __align__(16) unsigned char name##_bytes[]; \
  type* name = reinterpret_cast<type*>(name##_bytes)
#endif
