// One access of one thread, as the hooks see it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace emulation::instrument {

enum class AccessKind : uint8_t { Read, Write, Atomic };

// An access of any size, from the hooks; ignored outside of a kernel.
void access(const void* address, size_t bytes, AccessKind kind, const void* position);

}  // namespace emulation::instrument
