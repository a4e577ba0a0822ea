// Threads run one at a time, so that a plain access is atomic; in a translation unit of its own, which is never
// instrumented.
#include "kernels/emulation/atomics.h"

#include <algorithm>

#include "kernels/emulation/observer.h"

namespace {

template <class T, class F>
T update(T* address, const void* position, F next) {
  if (emulation::observer()) emulation::observer()->atomic(address, sizeof(T), position);
  const T old = *address;
  *address = next(old);
  return old;
}

}  // namespace

#define TYTO_ATOMIC(name, type, next)                                                            \
  type name(type* address, type value) {                                                         \
    return update(address, __builtin_return_address(0), [&](type old) -> type { return next; }); \
  }
#define TYTO_ATOMIC_INTEGERS(name, next) \
  TYTO_ATOMIC(name, int, next) TYTO_ATOMIC(name, unsigned, next) TYTO_ATOMIC(name, unsigned long long, next)

TYTO_ATOMIC(atomicAdd, int, static_cast<int>(static_cast<unsigned>(old) + static_cast<unsigned>(value)))
TYTO_ATOMIC(atomicAdd, unsigned, old + value)
TYTO_ATOMIC(atomicAdd, unsigned long long, old + value)
TYTO_ATOMIC(atomicAdd, float, old + value)
TYTO_ATOMIC(atomicAdd, double, old + value)
TYTO_ATOMIC(atomicAdd, __half, __hadd(old, value))
TYTO_ATOMIC(atomicAdd, __half2, __hadd2(old, value))
TYTO_ATOMIC(atomicAdd, __nv_bfloat16, __hadd(old, value))
TYTO_ATOMIC(atomicAdd, __nv_bfloat162, __hadd2(old, value))
TYTO_ATOMIC(atomicSub, int, static_cast<int>(static_cast<unsigned>(old) - static_cast<unsigned>(value)))
TYTO_ATOMIC(atomicSub, unsigned, old - value)
TYTO_ATOMIC_INTEGERS(atomicExch, (static_cast<void>(old), value))
TYTO_ATOMIC(atomicExch, float, (static_cast<void>(old), value))
TYTO_ATOMIC_INTEGERS(atomicMin, std::min(old, value))
TYTO_ATOMIC(atomicMin, long long, std::min(old, value))
TYTO_ATOMIC_INTEGERS(atomicMax, std::max(old, value))
TYTO_ATOMIC(atomicMax, long long, std::max(old, value))
TYTO_ATOMIC_INTEGERS(atomicAnd, old& value)
TYTO_ATOMIC_INTEGERS(atomicOr, old | value)
TYTO_ATOMIC_INTEGERS(atomicXor, old ^ value)
TYTO_ATOMIC(atomicInc, unsigned, old >= value ? 0 : old + 1)
TYTO_ATOMIC(atomicDec, unsigned, old == 0 || old > value ? value : old - 1)

#define TYTO_ATOMIC_CAS(type)                                                       \
  type atomicCAS(type* address, type expected, type value) {                        \
    return update(address, __builtin_return_address(0),                             \
                  [&](type old) -> type { return old == expected ? value : old; }); \
  }
TYTO_ATOMIC_CAS(int)
TYTO_ATOMIC_CAS(unsigned)
TYTO_ATOMIC_CAS(unsigned long long)
TYTO_ATOMIC_CAS(unsigned short)
