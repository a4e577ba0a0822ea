// Kernels and library calls on their way to a stream.
#include <cuda_runtime_api.h>

#include <string>
#include <utility>

#include "emulation/emulation.h"
#include "emulation/kernel_entry.h"
#include "emulation/library_call.h"
#include "emulation/runtime/call.h"
#include "emulation/runtime/device.h"
#include "emulation/runtime/stream.h"

namespace emulation {
namespace {

// What every architecture so far allows.
constexpr unsigned kMaxBlockX = 1024, kMaxBlockY = 1024, kMaxBlockZ = 64;
constexpr unsigned kMaxGridX = 0x7fffffff, kMaxGridY = 65535, kMaxGridZ = 65535;

bool within_limits(const LaunchRequest& request) {
  const dim3 &grid = request.grid, &block = request.block;
  const uint64_t threads = uint64_t{block.x} * block.y * block.z;
  return threads > 0 && threads <= static_cast<uint64_t>(architecture().max_threads_per_block) &&
         block.x <= kMaxBlockX && block.y <= kMaxBlockY && block.z <= kMaxBlockZ && grid.x > 0 &&
         grid.y > 0 && grid.z > 0 && grid.x <= kMaxGridX && grid.y <= kMaxGridY && grid.z <= kMaxGridZ;
}

}  // namespace

using namespace runtime;

cudaError_t enqueue(LaunchRequest request, cudaStream_t handle) {
  return call("cudaLaunchKernelEx", [&] {
    require(within_limits(request), cudaErrorInvalidConfiguration);
    require(request.shared_bytes <= static_cast<size_t>(architecture().shared_bytes_per_block),
            cudaErrorInvalidValue);
    CUstream_st& stream = stream_of(handle);
    require(stream.device == current_device(), cudaErrorInvalidResourceHandle);
    const std::string name = "kernel " + request.kernel->name;
    append(stream, {name, {}, {}, [request = std::move(request)] {
                      ++counts().launches;
                      execute(request);
                    }});
  });
}

cudaError_t enqueue_library_call(cudaStream_t handle, LibraryCall library) {
  return call("enqueue_library_call", [&] {
    append(stream_of(handle), {std::move(library.name), std::move(library.reads), std::move(library.writes),
                               [run = std::move(library.run)] {
                                 ++counts().library_calls;
                                 run();
                               },
                               /*bounded=*/true});
  });
}

}  // namespace emulation

using namespace emulation::runtime;

extern "C" {

// launch() of an emulated kernel does not ask for its shared memory; this serves whoever asks for its own
// reasons.
cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute attribute, int value) {
  return call("cudaFuncSetAttribute", [&] {
    require(kernel != nullptr, cudaErrorInvalidDeviceFunction);
    if (attribute == cudaFuncAttributeMaxDynamicSharedMemorySize)
      require(value >= 0 && value <= emulation::architecture().shared_bytes_per_block, cudaErrorInvalidValue);
  });
}

}  // extern "C"
