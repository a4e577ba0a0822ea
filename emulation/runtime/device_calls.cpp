// The runtime's C functions about devices and versions.
#include <cuda_runtime_api.h>

#include <string>

#include "emulation/runtime/call.h"
#include "emulation/runtime/device.h"
#include "emulation/runtime/memory.h"
#include "emulation/runtime/operations.h"
#include "emulation/runtime/stream.h"

namespace emulation::runtime {
namespace {

// A small relative of an A100: what tyto asks for, nothing more.
constexpr int kProcessors = 4;
constexpr int kWarpSize = 32;
constexpr int kThreadsPerProcessor = 2048;
constexpr int kRegisters = 65536;
constexpr int kSharedWithoutAsking = 48 << 10;
constexpr int kReservedShared = 1 << 10;
constexpr int kL2Bytes = 40 << 20;
constexpr int kClockKilohertz = 1410000;

void require_device(int device) { require(device >= 0 && device < device_count(), cudaErrorInvalidDevice); }

int attribute_value(cudaDeviceAttr attribute, int device) {
  switch (attribute) {
    case cudaDevAttrMaxThreadsPerBlock:
      return architecture().max_threads_per_block;
    case cudaDevAttrMaxSharedMemoryPerBlock:
      return kSharedWithoutAsking;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      return static_cast<int>(architecture().shared_bytes_per_block);
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
      return static_cast<int>(architecture().shared_bytes_per_block) + kReservedShared;
    case cudaDevAttrReservedSharedMemoryPerBlock:
      return kReservedShared;
    case cudaDevAttrWarpSize:
      return kWarpSize;
    case cudaDevAttrMultiProcessorCount:
      return kProcessors;
    case cudaDevAttrMaxThreadsPerMultiProcessor:
      return kThreadsPerProcessor;
    case cudaDevAttrMaxRegistersPerBlock:
    case cudaDevAttrMaxRegistersPerMultiprocessor:
      return kRegisters;
    case cudaDevAttrL2CacheSize:
      return kL2Bytes;
    case cudaDevAttrClockRate:
      return kClockKilohertz;
    case cudaDevAttrComputeCapabilityMajor:
      return architecture().major;
    case cudaDevAttrComputeCapabilityMinor:
      return architecture().minor;
    case cudaDevAttrPciBusId:
      return device;
    case cudaDevAttrUnifiedAddressing:
    case cudaDevAttrConcurrentKernels:
    case cudaDevAttrAsyncEngineCount:
    case cudaDevAttrMemoryPoolsSupported:
      return 1;
    case cudaDevAttrIntegrated:
    case cudaDevAttrPciDomainId:
    case cudaDevAttrPciDeviceId:
      return 0;
    default:
      refuse(cudaErrorNotSupported);  // and not some zero that somebody believes
  }
}

// What can be asked of a machine whose device is in error.
template <class Body>
cudaError_t question(const char* name, Body body) {
  const std::lock_guard lock(machine());
  try {
    const cudaError_t ordered = ordered_failure(name);
    require(ordered == cudaSuccess, ordered);
    body();
    return cudaSuccess;
  } catch (const Refused& refused) {
    return last_error() = refused.error;
  }
}

// cuDevicePrimaryCtxGetState of the driver.
int primary_context_state(int device, unsigned* flags, int* active) {
  const std::lock_guard lock(machine());
  *flags = 0;
  *active = is_open(device);
  return 0;
}

}  // namespace
}  // namespace emulation::runtime

using namespace emulation::runtime;
using emulation::architecture;

extern "C" {

cudaError_t cudaGetDeviceCount(int* count) {
  return question("cudaGetDeviceCount", [&] {
    require(count != nullptr, cudaErrorInvalidValue);
    *count = device_count();
    require(*count > 0, cudaErrorNoDevice);
  });
}

cudaError_t cudaSetDevice(int device) {
  return question("cudaSetDevice", [&] {
    require(device_count() > 0, cudaErrorNoDevice);
    require_device(device);
    select_device(device);
    open_device(device);  // since CUDA 12
  });
}

cudaError_t cudaGetDevice(int* device) {
  return question("cudaGetDevice", [&] {
    require(device != nullptr, cudaErrorInvalidValue);
    require(device_count() > 0, cudaErrorNoDevice);
    *device = current_device();
  });
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  return question("cudaGetDeviceProperties", [&] {
    require(properties != nullptr, cudaErrorInvalidValue);
    require_device(device);
    cudaDeviceProp p{};
    ("emulated " + architecture().name).copy(p.name, sizeof p.name - 1);
    p.uuid.bytes[0] = static_cast<char>(device + 1);
    p.totalGlobalMem = static_cast<size_t>(device_memory());
    p.sharedMemPerBlock = kSharedWithoutAsking;
    p.sharedMemPerBlockOptin = static_cast<size_t>(architecture().shared_bytes_per_block);
    p.reservedSharedMemPerBlock = kReservedShared;
    p.sharedMemPerMultiprocessor = p.sharedMemPerBlockOptin + kReservedShared;
    p.regsPerBlock = p.regsPerMultiprocessor = kRegisters;
    p.warpSize = kWarpSize;
    p.maxThreadsPerBlock = architecture().max_threads_per_block;
    p.maxThreadsPerMultiProcessor = kThreadsPerProcessor;
    p.major = architecture().major;
    p.minor = architecture().minor;
    p.multiProcessorCount = kProcessors;
    p.l2CacheSize = kL2Bytes;
    p.asyncEngineCount = p.concurrentKernels = p.unifiedAddressing = p.canMapHostMemory = 1;
    p.pciBusID = device;
    *properties = p;
  });
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  return question("cudaDeviceGetAttribute", [&] {
    require(value != nullptr, cudaErrorInvalidValue);
    require_device(device);
    *value = attribute_value(attribute, device);
  });
}

cudaError_t cudaDriverGetVersion(int* version) {
  return question("cudaDriverGetVersion", [&] {
    require(version != nullptr, cudaErrorInvalidValue);
    *version = CUDART_VERSION;
  });
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  return question("cudaRuntimeGetVersion", [&] {
    require(version != nullptr, cudaErrorInvalidValue);
    *version = CUDART_VERSION;
  });
}

cudaError_t cudaGetDriverEntryPointByVersion(const char* symbol, void** function, unsigned,
                                             unsigned long long, cudaDriverEntryPointQueryResult* found) {
  return question("cudaGetDriverEntryPointByVersion", [&] {
    require(symbol != nullptr && function != nullptr, cudaErrorInvalidValue);
    require(std::string(symbol) == "cuDevicePrimaryCtxGetState", cudaErrorNotSupported);
    *function = reinterpret_cast<void*>(&primary_context_state);
    if (found) *found = cudaDriverEntryPointSuccess;
  });
}

cudaError_t cudaDeviceSynchronize() {
  return call("cudaDeviceSynchronize", [&] {
    refuse_in_capture();
    ++counts().host_synchronisations;
    wait_for_device(current_device());
  });
}

}  // extern "C"
