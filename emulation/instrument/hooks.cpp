// What g++ -fsanitize=thread calls before every access to memory. libtsan is not linked; these take its
// names.
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "emulation/instrument/access.h"

namespace emulation::instrument {
namespace {

template <class T>
T* atomic_access(volatile void* address, const void* position) {
  T* plain = static_cast<T*>(const_cast<void*>(address));
  access(plain, sizeof(T), AccessKind::Atomic, position, sizeof(T));
  return plain;
}

// g++ announces so what its type aligns to its size, but to eight bytes at most: two doubles in a struct are
// one access of sixteen, which a GPU makes two of.
constexpr size_t aligned(size_t size) { return size < 8 ? size : 8; }

// The strongest order serves every caller: fibres never run at once, and other threads only start-up code.
constexpr int kOrder = __ATOMIC_SEQ_CST;

}  // namespace
}  // namespace emulation::instrument

using emulation::instrument::access;
using emulation::instrument::AccessKind;
using emulation::instrument::aligned;
using emulation::instrument::atomic_access;
using emulation::instrument::kOrder;

#define HOOK extern "C" __attribute__((visibility("default")))
#define POSITION __builtin_return_address(0)

HOOK void __tsan_init() {}
HOOK void __tsan_func_entry(void*) {}
HOOK void __tsan_func_exit() {}
HOOK void __tsan_vptr_update(void**, void*) {}
HOOK void __tsan_vptr_read(void**) {}

#define PLAIN(size)                                                                                      \
  HOOK void __tsan_read##size(void* p) { access(p, size, AccessKind::Read, POSITION, aligned(size)); }   \
  HOOK void __tsan_write##size(void* p) { access(p, size, AccessKind::Write, POSITION, aligned(size)); } \
  HOOK void __tsan_unaligned_read##size(const void* p) { access(p, size, AccessKind::Read, POSITION); }  \
  HOOK void __tsan_unaligned_write##size(void* p) { access(p, size, AccessKind::Write, POSITION); }      \
  HOOK void __tsan_volatile_read##size(void* p) {                                                        \
    access(p, size, AccessKind::Read, POSITION, aligned(size));                                          \
  }                                                                                                      \
  HOOK void __tsan_volatile_write##size(void* p) {                                                       \
    access(p, size, AccessKind::Write, POSITION, aligned(size));                                         \
  }
PLAIN(1)
PLAIN(2)
PLAIN(4)
PLAIN(8)
PLAIN(16)

HOOK void __tsan_read_range(void* p, size_t size) { access(p, size, AccessKind::Read, POSITION); }
HOOK void __tsan_write_range(void* p, size_t size) { access(p, size, AccessKind::Write, POSITION); }

#define FETCH(bits, operation)                                                                           \
  HOOK uint##bits##_t __tsan_atomic##bits##_fetch_##operation(volatile void* p, uint##bits##_t v, int) { \
    return __atomic_fetch_##operation(atomic_access<uint##bits##_t>(p, POSITION), v, kOrder);            \
  }
#define COMPARE_EXCHANGE(bits, strength, weak)                                                           \
  HOOK int __tsan_atomic##bits##_compare_exchange_##strength(volatile void* p, void* expected,           \
                                                             uint##bits##_t v, int, int) {               \
    return __atomic_compare_exchange_n(atomic_access<uint##bits##_t>(p, POSITION),                       \
                                       static_cast<uint##bits##_t*>(expected), v, weak, kOrder, kOrder); \
  }
#define ATOMIC(bits)                                                                                        \
  HOOK uint##bits##_t __tsan_atomic##bits##_load(const volatile void* p, int) {                             \
    return __atomic_load_n(atomic_access<uint##bits##_t>(const_cast<volatile void*>(p), POSITION), kOrder); \
  }                                                                                                         \
  HOOK void __tsan_atomic##bits##_store(volatile void* p, uint##bits##_t v, int) {                          \
    __atomic_store_n(atomic_access<uint##bits##_t>(p, POSITION), v, kOrder);                                \
  }                                                                                                         \
  HOOK uint##bits##_t __tsan_atomic##bits##_exchange(volatile void* p, uint##bits##_t v, int) {             \
    return __atomic_exchange_n(atomic_access<uint##bits##_t>(p, POSITION), v, kOrder);                      \
  }                                                                                                         \
  FETCH(bits, add)                                                                                          \
  FETCH(bits, sub)                                                                                          \
  FETCH(bits, and)                                                                                          \
  FETCH(bits, or)                                                                                           \
  FETCH(bits, xor)                                                                                          \
  FETCH(bits, nand)                                                                                         \
  COMPARE_EXCHANGE(bits, strong, false)                                                                     \
  COMPARE_EXCHANGE(bits, weak, true)
ATOMIC(8)
ATOMIC(16)
ATOMIC(32)
ATOMIC(64)

HOOK void __tsan_atomic_thread_fence(int) { std::atomic_thread_fence(std::memory_order_seq_cst); }
HOOK void __tsan_atomic_signal_fence(int) { std::atomic_signal_fence(std::memory_order_seq_cst); }

// What memcpy, memmove and memset are called in instrumented sources (renamed_copies.h).
HOOK void* emulation_memcpy(void* to, const void* from, size_t size) {
  access(from, size, AccessKind::Read, POSITION);
  access(to, size, AccessKind::Write, POSITION);
  return std::memcpy(to, from, size);
}
HOOK void* emulation_memmove(void* to, const void* from, size_t size) {
  access(from, size, AccessKind::Read, POSITION);
  access(to, size, AccessKind::Write, POSITION);
  return std::memmove(to, from, size);
}
HOOK void* emulation_memset(void* to, int value, size_t size) {
  access(to, size, AccessKind::Write, POSITION);
  return std::memset(to, value, size);
}
