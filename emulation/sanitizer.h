// AddressSanitizer's part in memory that the emulation hands out and in its stacks; nothing without it.
#pragma once

#include <cstddef>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace emulation {

#ifdef __SANITIZE_ADDRESS__
inline constexpr bool kAddressSanitizer = true;
inline void forbid(const void* address, size_t bytes) { __asan_poison_memory_region(address, bytes); }
inline void allow(const void* address, size_t bytes) { __asan_unpoison_memory_region(address, bytes); }

// Around a switch of stacks: first where it goes, then where it came from.
inline void leave_stack(void** fake_stack, const void* bottom, size_t size) {
  __sanitizer_start_switch_fiber(fake_stack, bottom, size);
}
inline void enter_stack(void* fake_stack, const void** old_bottom, size_t* old_size) {
  __sanitizer_finish_switch_fiber(fake_stack, old_bottom, old_size);
}
#else
inline constexpr bool kAddressSanitizer = false;
inline void forbid(const void*, size_t) {}
inline void allow(const void*, size_t) {}
inline void leave_stack(void**, const void*, size_t) {}
inline void enter_stack(void*, const void**, size_t*) {}
#endif

}  // namespace emulation
