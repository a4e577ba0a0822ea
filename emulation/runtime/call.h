// The frame of every function of the runtime's C interface.
#pragma once

#include <driver_types.h>

#include <mutex>

#include "emulation/runtime/device.h"
#include "emulation/runtime/operations.h"

namespace emulation::runtime {

struct Refused {
  cudaError_t error;
};
[[noreturn]] inline void refuse(cudaError_t error) { throw Refused{error}; }
inline void require(bool holds, cudaError_t otherwise) {
  if (!holds) refuse(otherwise);
}
// Refuses with the device's sticky error, if it has one.
inline void require_sound(int device) { require(sticky_error(device) == cudaSuccess, sticky_error(device)); }

cudaError_t& last_error();  // of this thread, for cudaGetLastError

// Refuses where a test ordered it, in a host function that a stream runs, without a device and on one in
// error.
void begin_call(const char* name);

// The result is what the body refuses with, or the error that it, or the work that it waited for, left the
// device in.
template <class Body>
cudaError_t call(const char* name, Body body) {
  const std::lock_guard lock(machine());
  try {
    begin_call(name);
    body();
    require_sound(current_device());
    return cudaSuccess;
  } catch (const Refused& refused) {
    return last_error() = refused.error;
  }
}

// Of calls that destroy and release: what they are given is gone, too, where they answer with an error that
// is not about it, one that the device is in or that a test ordered, as CUDA has it.
template <class Body>
cudaError_t giving_back(const char* name, Body body) {
  const std::lock_guard lock(machine());
  try {
    require(running_work() == nullptr, cudaErrorNotPermitted);
    const cudaError_t ordered = ordered_failure(name);
    open_device(current_device());
    body();
    require(ordered == cudaSuccess, ordered);
    require_sound(current_device());
    return cudaSuccess;
  } catch (const Refused& refused) {
    return last_error() = refused.error;
  }
}

}  // namespace emulation::runtime
