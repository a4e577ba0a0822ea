// Threads run one at a time, so that a plain access is atomic; in a translation unit of its own, which is
// never instrumented.
#include "emulation/atomics.h"

#include <algorithm>

#include "emulation/observer.h"

namespace {

// Whether a + b was rounded (Knuth's two-sum): then a sum of several terms depends on their order. Of halves,
// sums in double are exact or tell.
bool rounded(double a, double b, double sum) {
  const double whole = a + b, b_part = whole - a, a_part = whole - b_part;
  return sum != whole || (a - a_part) + (b - b_part) != 0;
}
bool rounded(float2 a, float2 b, float2 sum) { return rounded(a.x, b.x, sum.x) || rounded(a.y, b.y, sum.y); }

template <class T, class F, class OrderMatters>
T update(T* address, T value, const void* position, F next, OrderMatters order_matters) {
  const T old = *address, result = next(old);
  if (emulation::observer())
    emulation::observer()->atomic(address, sizeof(T), position, order_matters(old, value, result));
  *address = result;
  return old;
}

}  // namespace

#define TYTO_ORDERED_ATOMIC(name, type, next, order_matters)                                                \
  type name(type* address, type value) {                                                                    \
    return update(                                                                                          \
        address, value, __builtin_return_address(0), [&](type old) -> type { return next; },                \
        [](type old, type term, type result) {                                                              \
          return static_cast<void>(old), static_cast<void>(term), static_cast<void>(result), order_matters; \
        });                                                                                                 \
  }
#define TYTO_ATOMIC(name, type, next) TYTO_ORDERED_ATOMIC(name, type, next, false)
#define TYTO_ATOMIC_INTEGERS(name, next) \
  TYTO_ATOMIC(name, int, next) TYTO_ATOMIC(name, unsigned, next) TYTO_ATOMIC(name, unsigned long long, next)

TYTO_ATOMIC(atomicAdd, int, static_cast<int>(static_cast<unsigned>(old) + static_cast<unsigned>(value)))
TYTO_ATOMIC(atomicAdd, unsigned, old + value)
TYTO_ATOMIC(atomicAdd, unsigned long long, old + value)
#define TYTO_SUM(type, sum, number) \
  TYTO_ORDERED_ATOMIC(atomicAdd, type, sum, rounded(number(old), number(term), number(result)))
TYTO_SUM(float, old + value, double)
TYTO_SUM(double, old + value, double)
TYTO_SUM(__half, __hadd(old, value), __half2float)
TYTO_SUM(__half2, __hadd2(old, value), __half22float2)
TYTO_SUM(__nv_bfloat16, __hadd(old, value), __bfloat162float)
TYTO_SUM(__nv_bfloat162, __hadd2(old, value), __bfloat1622float2)
TYTO_ATOMIC(atomicSub, int, static_cast<int>(static_cast<unsigned>(old) - static_cast<unsigned>(value)))
TYTO_ATOMIC(atomicSub, unsigned, old - value)
TYTO_ATOMIC_INTEGERS(atomicExch, (static_cast<void>(old), value))
TYTO_ORDERED_ATOMIC(atomicExch, float, (static_cast<void>(old), value), term != old)
TYTO_ATOMIC_INTEGERS(atomicMin, std::min(old, value))
TYTO_ATOMIC(atomicMin, long long, std::min(old, value))
TYTO_ATOMIC_INTEGERS(atomicMax, std::max(old, value))
TYTO_ATOMIC(atomicMax, long long, std::max(old, value))
TYTO_ATOMIC_INTEGERS(atomicAnd, old& value)
TYTO_ATOMIC_INTEGERS(atomicOr, old | value)
TYTO_ATOMIC_INTEGERS(atomicXor, old ^ value)
TYTO_ATOMIC(atomicInc, unsigned, old >= value ? 0 : old + 1)
TYTO_ATOMIC(atomicDec, unsigned, old == 0 || old > value ? value : old - 1)

#define TYTO_ATOMIC_CAS(type)                                            \
  type atomicCAS(type* address, type expected, type value) {             \
    return update(                                                       \
        address, value, __builtin_return_address(0),                     \
        [&](type old) -> type { return old == expected ? value : old; }, \
        [](type, type, type) { return false; });                         \
  }
TYTO_ATOMIC_CAS(int)
TYTO_ATOMIC_CAS(unsigned)
TYTO_ATOMIC_CAS(unsigned long long)
TYTO_ATOMIC_CAS(unsigned short)
