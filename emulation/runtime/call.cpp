#include "emulation/runtime/call.h"

namespace emulation::runtime {

cudaError_t& last_error() {
  thread_local cudaError_t error = cudaSuccess;
  return error;
}

void begin_call(const char* name) {
  require(running_work() == nullptr, cudaErrorNotPermitted);
  const cudaError_t ordered = ordered_failure(name);
  require(ordered == cudaSuccess, ordered);
  require(device_count() > 0, cudaErrorNoDevice);
  open_device(current_device());
  require_sound(current_device());
}

}  // namespace emulation::runtime
