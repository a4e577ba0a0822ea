// A sentence for whoever touches memory that it may not: host code with a device pointer, anyone after the release.
#pragma once

#include <string>

namespace emulation::runtime {

// Says what was touched, by whom, before the program ends as it would have without the trap.
void install_trap();

// "device buffer 12 (4096 bytes) of device 1"; empty: the address lies in no buffer. (Defined by memory.cpp.)
std::string forbidden_buffer(const void* address);

}  // namespace emulation::runtime
