// One access of one thread, as the hooks see it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace emulation::instrument {

enum class AccessKind : uint8_t { Read, Write, Atomic };

// An access of any size, from the hooks; ignored outside of a kernel. `alignment` is what one instruction of
// a GPU would need for it, or 1 where the compiler knows that it takes several.
void access(const void* address, size_t bytes, AccessKind kind, const void* position, size_t alignment = 1);

}  // namespace emulation::instrument
