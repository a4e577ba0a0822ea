// Atomic functions. Every one is told to the observer as an atomic access; none is seen as a plain one.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#define TYTO_ATOMIC(name, type) type name(type* address, type value);
#define TYTO_ATOMIC_INTEGERS(name) \
  TYTO_ATOMIC(name, int) TYTO_ATOMIC(name, unsigned) TYTO_ATOMIC(name, unsigned long long)
TYTO_ATOMIC_INTEGERS(atomicAdd)
TYTO_ATOMIC(atomicAdd, float)
TYTO_ATOMIC(atomicAdd, double)
TYTO_ATOMIC(atomicAdd, __half)
TYTO_ATOMIC(atomicAdd, __half2)
TYTO_ATOMIC(atomicAdd, __nv_bfloat16)
TYTO_ATOMIC(atomicAdd, __nv_bfloat162)
TYTO_ATOMIC(atomicSub, int)
TYTO_ATOMIC(atomicSub, unsigned)
TYTO_ATOMIC_INTEGERS(atomicExch)
TYTO_ATOMIC(atomicExch, float)
TYTO_ATOMIC_INTEGERS(atomicMin)
TYTO_ATOMIC(atomicMin, long long)
TYTO_ATOMIC_INTEGERS(atomicMax)
TYTO_ATOMIC(atomicMax, long long)
TYTO_ATOMIC_INTEGERS(atomicAnd)
TYTO_ATOMIC_INTEGERS(atomicOr)
TYTO_ATOMIC_INTEGERS(atomicXor)
TYTO_ATOMIC(atomicInc, unsigned)
TYTO_ATOMIC(atomicDec, unsigned)
#undef TYTO_ATOMIC_INTEGERS
#undef TYTO_ATOMIC

int atomicCAS(int* address, int expected, int value);
unsigned atomicCAS(unsigned* address, unsigned expected, unsigned value);
unsigned long long atomicCAS(unsigned long long* address, unsigned long long expected,
                             unsigned long long value);
unsigned short atomicCAS(unsigned short* address, unsigned short expected, unsigned short value);
