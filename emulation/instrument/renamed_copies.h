// Included before everything else in instrumented sources: the calls to memcpy and its kin that remain in a
// kernel, the compiler's own included, reach the instrument. (The compiler announces the copies that it
// expands inline.)
#pragma once

#ifdef EMULATION_INSTRUMENTED
#include <stddef.h>
extern "C" {
void* memcpy(void* __restrict, const void* __restrict, size_t) noexcept __asm__("emulation_memcpy");
void* memmove(void*, const void*, size_t) noexcept __asm__("emulation_memmove");
void* memset(void*, int, size_t) noexcept __asm__("emulation_memset");
}
#endif
