// The devices of the emulated machine and what is wrong with them.
#pragma once

#include <driver_types.h>

#include <cstdint>
#include <mutex>
#include <string>

#include "emulation/emulation.h"

namespace emulation::runtime {

// One lock for all that the runtime keeps; work runs under it too, so that the machine does one thing at a
// time. Host functions that a stream runs may not call the runtime anyway; they come back into the same
// thread's lock.
std::recursive_mutex& machine();

int device_count();
int64_t device_memory();
int current_device();  // of the calling thread
void select_device(int device);
void open_device(int device);  // as a primary context does: memory is taken there
bool is_open(int device);

// Remembers the sentence for take_faults() and leaves the device in a sticky error.
void fault(int device, const std::string& sentence);
cudaError_t sticky_error(int device);

// What fail_next ordered for this call.
cudaError_t ordered_failure(const std::string& call);

RuntimeCounts& counts();

}  // namespace emulation::runtime
