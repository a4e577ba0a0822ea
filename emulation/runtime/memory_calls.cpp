// The runtime's C functions that allocate and release.
#include <cuda_runtime_api.h>

#include <string>

#include "emulation/runtime/call.h"
#include "emulation/runtime/device.h"
#include "emulation/runtime/memory.h"
#include "emulation/runtime/stream.h"

namespace emulation::runtime {
namespace {

void allocate_into(void** data, Space space, size_t bytes) {
  require(data != nullptr, cudaErrorInvalidValue);
  *data = nullptr;
  if (bytes == 0) return;
  const Buffer* buffer = allocate(space, current_device(), bytes);
  require(buffer != nullptr, cudaErrorMemoryAllocation);
  ++counts().allocations;
  *data = buffer->data;
}

cudaError_t allocate_pinned(const char* name, void** data, size_t bytes) {
  return call(name, [&] {
    refuse_in_capture();
    allocate_into(data, Space::Pinned, bytes);
  });
}

const Buffer& starting_at(const void* data, Space space) {
  const Buffer* buffer = buffer_at(data);
  require(buffer != nullptr && buffer->data == data && buffer->space == space, cudaErrorInvalidValue);
  return *buffer;
}

void release_counted(const Buffer& buffer) {
  ++counts().frees;
  release(buffer);
}

cudaError_t release_pinned(const char* name, void* data, bool registered) {
  return giving_back(name, [&] {
    if (data == nullptr) return;
    const Buffer gone = starting_at(data, Space::Pinned);
    require((gone.mapping == nullptr) == registered,
            registered ? cudaErrorHostMemoryNotRegistered : cudaErrorInvalidValue);
    refuse_in_capture();
    if (sticky_error(gone.device) != cudaSuccess)
      forget_work(gone.device);
    else if (const Moment* user = user_of({gone.data, gone.bytes}))
      fault(current_device(),
            name_of(gone) + " is released before " + user->name + ", which needs it, is waited for");
    release_counted(gone);
  });
}

}  // namespace
}  // namespace emulation::runtime

using namespace emulation::runtime;
using emulation::Space;

extern "C" {

cudaError_t cudaMalloc(void** data, size_t bytes) {
  return call("cudaMalloc", [&] {
    refuse_in_capture();
    allocate_into(data, Space::Device, bytes);
  });
}

// Waits for the device, as CUDA does.
cudaError_t cudaFree(void* data) {
  return giving_back("cudaFree", [&] {
    if (data == nullptr) return;
    const Buffer& buffer = starting_at(data, Space::Device);
    refuse_in_capture();
    ++counts().host_synchronisations;
    wait_for_device(buffer.device);
    release_counted(buffer);
  });
}

// The address is known at once. As part of a graph it is not emulated.
cudaError_t cudaMallocAsync(void** data, size_t bytes, cudaStream_t handle) {
  return call("cudaMallocAsync", [&] {
    const CUstream_st& stream = stream_of(handle);
    refuse_in_capture(stream);
    require(stream.device == current_device(), cudaErrorInvalidResourceHandle);
    allocate_into(data, Space::Device, bytes);
  });
}

// The memory goes when the stream comes to it; what uses it later uses released memory.
cudaError_t cudaFreeAsync(void* data, cudaStream_t handle) {
  return giving_back("cudaFreeAsync", [&] {
    if (data == nullptr) return;
    const Buffer& buffer = starting_at(data, Space::Device);
    if (sticky_error(buffer.device) != cudaSuccess) return release_counted(buffer);
    CUstream_st& stream = stream_of(handle);
    refuse_in_capture(stream);
    require(stream.device == buffer.device, cudaErrorInvalidResourceHandle);
    append(stream, {"cudaFreeAsync of " + name_of(buffer), {}, {{buffer.data, buffer.bytes}}, [data] {
                      if (const Buffer* there = buffer_at(data)) release_counted(*there);
                    }});
  });
}

cudaError_t cudaMallocHost(void** data, size_t bytes) {
  return allocate_pinned("cudaMallocHost", data, bytes);
}

cudaError_t cudaHostAlloc(void** data, size_t bytes, unsigned) {
  return allocate_pinned("cudaHostAlloc", data, bytes);
}

// That nobody needs the memory any more is for the caller to know: pending work that names it is a fault.
cudaError_t cudaFreeHost(void* data) { return release_pinned("cudaFreeHost", data, false); }

cudaError_t cudaHostRegister(void* data, size_t bytes, unsigned) {
  return call("cudaHostRegister", [&] {
    require(data != nullptr && bytes > 0, cudaErrorInvalidValue);
    refuse_in_capture();
    require(register_host(data, bytes, current_device()) != nullptr, cudaErrorHostMemoryAlreadyRegistered);
  });
}

cudaError_t cudaHostUnregister(void* data) { return release_pinned("cudaHostUnregister", data, true); }

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  return call("cudaMemGetInfo", [&] {
    require(free != nullptr && total != nullptr, cudaErrorInvalidValue);
    *total = static_cast<size_t>(device_memory());
    *free = *total - bytes_in_use(current_device());
  });
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* data) {
  return call("cudaPointerGetAttributes", [&] {
    require(attributes != nullptr, cudaErrorInvalidValue);
    *attributes = {};
    void* const address = const_cast<void*>(data);
    const Buffer* buffer = buffer_at(data);
    attributes->type = !buffer                          ? cudaMemoryTypeUnregistered
                       : buffer->space == Space::Device ? cudaMemoryTypeDevice
                                                        : cudaMemoryTypeHost;
    attributes->device = buffer ? buffer->device : -1;
    attributes->devicePointer = buffer ? address : nullptr;
    attributes->hostPointer = buffer && buffer->space == Space::Device ? nullptr : address;
  });
}

}  // extern "C"
