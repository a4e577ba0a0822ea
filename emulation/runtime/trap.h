// Finds out which pages work touches; a sentence for whoever touches memory that it may not: host code with a
// device pointer, anyone after the release.
#pragma once

#include <string>

namespace emulation::runtime {

// Says what was touched, by whom, before the program ends as it would have without the trap.
void install_trap();

// Whether the work that runs may touch the address: then its page is opened and remembered. (Defined by
// memory.cpp.)
bool touch(const void* address, bool writes);

// "device buffer 12 (4096 bytes) of device 1"; empty: the address lies in no buffer. (Defined by memory.cpp.)
std::string forbidden_buffer(const void* address);

}  // namespace emulation::runtime
