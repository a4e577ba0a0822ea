// What a test in Python asks of the emulated device.
#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>

#include "emulation/emulation.h"

// Does all the work that was given to the device. Returns how long the text of its faults is, of which as
// much as there is room for is written.
extern "C" size_t emulated_device_wait(char* text, size_t size) {
  std::string faults;
  if (const cudaError_t error = cudaDeviceSynchronize(); error != cudaSuccess)
    faults = std::string(cudaGetErrorString(error)) + "\n";
  for (const std::string& fault : emulation::take_faults()) faults += fault + "\n";
  std::memcpy(text, faults.data(), std::min(size, faults.size()));
  return faults.size();
}

// How often the host waited for it.
extern "C" int64_t emulated_device_waits() { return emulation::runtime_counts().host_synchronisations; }

extern "C" void* emulated_device_stream() {
  cudaStream_t stream = nullptr;
  return cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) == cudaSuccess ? stream : nullptr;
}
