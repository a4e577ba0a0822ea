// As much of a CUDA runtime as launch_times.cpp calls. Its one kernel counts its launches twice, in
// `launches` and in the memory that it gets; each takes one microsecond longer. A file of its own, for the
// linker's
// --wrap leaves alone what a file calls of itself.
#include "kernels/cuda/launch_times/fake_runtime.h"

#include <cuda_runtime_api.h>

#include <cstdlib>
#include <cstring>

int launches = 0;

extern "C" {

cudaError_t cudaMalloc(void** memory, size_t bytes) {
  *memory = std::calloc(1, bytes);
  return cudaSuccess;
}
cudaError_t cudaFree(void* memory) {
  std::free(memory);
  return cudaSuccess;
}
cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t*, const void*, void** arguments) {
  ++launches;
  ++**static_cast<int**>(arguments[0]);
  return cudaSuccess;
}
cudaError_t cudaFuncGetName(const char** name, const void*) {
  *name = "_ZN1a12_GLOBAL__N_112count_kernelIfLi3EEEvPi";  // mangled, with a namespace and arguments
  return cudaSuccess;
}
cudaError_t cudaEventCreate(cudaEvent_t*) { return cudaSuccess; }
cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t) { return cudaSuccess; }
cudaError_t cudaEventSynchronize(cudaEvent_t) { return cudaSuccess; }
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t, cudaEvent_t) {
  *milliseconds = 1e-3f * static_cast<float>(launches);
  return cudaSuccess;
}
cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind) {
  std::memcpy(to, from, bytes);
  return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind, cudaStream_t) {
  std::memcpy(to, from, bytes);
  return cudaSuccess;
}
cudaError_t cudaMemsetAsync(void* memory, int value, size_t bytes, cudaStream_t) {
  std::memset(memory, value, bytes);
  return cudaSuccess;
}
cudaError_t cudaGetDevice(int* device) {
  *device = 0;
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr, int) {
  *value = 1024;
  return cudaSuccess;
}
const char* cudaGetErrorString(cudaError_t) { return "an error"; }
}
