// What one request costs the memory system, from the addresses of its lanes alone.
#pragma once

#include <cstdint>
#include <span>

namespace emulation::instrument {

struct Cost {
  int actual = 0, ideal = 0;
};

// Global memory moves sectors of 32 bytes; side by side, the distinct bytes would need the ideal number.
Cost sectors(std::span<const uintptr_t> addresses, int bytes);

// Shared memory serves, in one wavefront, one 4-byte word from each of 32 banks, to any number of lanes.
// Lanes that ask for 8 bytes are served by halves of the warp, for 16 by quarters; ideal is one wavefront
// each. `addresses` by lane, of the lanes in `active`.
Cost wavefronts(const uintptr_t (&addresses)[32], uint32_t active, int bytes);

}  // namespace emulation::instrument
