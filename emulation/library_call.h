// How a stand-in for a library (cuDNN, cuBLASLt) gives its work to the emulated device.
#pragma once

#include <driver_types.h>

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace emulation {

struct Range {
  const void* data = nullptr;
  size_t bytes = 0;
};

struct LibraryCall {
  std::string name;                  // "convolution 3 x 3"
  std::vector<Range> reads, writes;  // all that `run` touches; each within one live buffer when it runs
  std::function<void()> run;
};

// Queued as a kernel would be; may be captured.
cudaError_t enqueue_library_call(cudaStream_t stream, LibraryCall call);

// A misuse that only the stand-in sees, as a fault of the current device.
void report_fault(const std::string& sentence);

}  // namespace emulation
