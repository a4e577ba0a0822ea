#include "engine/cuda/devices.h"

#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include "engine/cuda/runtime.h"
#include "tyto/error.h"

namespace tyto::cuda {
namespace {

std::string version(int number) { return fmt::format("{}.{}", number / 1000, number % 1000 / 10); }

[[noreturn]] void explain(cudaError_t error) {
  cudaGetLastError();
  if (error == cudaErrorNoDevice)
    throw Error(ErrorKind::Device, "there is no NVIDIA GPU here; use --device cpu");
  int driver = 0;
  cudaDriverGetVersion(&driver);
  if (driver == 0)
    throw Error(ErrorKind::Device, "there is no NVIDIA driver here; install one, or use --device cpu");
  if (error == cudaErrorInsufficientDriver)
    throw Error(
        ErrorKind::Device,
        fmt::format(
            "the NVIDIA driver serves CUDA {} and tyto needs {}; install a newer driver, or use --device cpu",
            driver_version(), runtime_version()));
  throw Error(ErrorKind::Device,
              fmt::format("the NVIDIA driver finds no GPU: {}", cudaGetErrorString(error)));
}

int attribute(cudaDeviceAttr which, int device) {
  int value = 0;
  check(cudaDeviceGetAttribute(&value, which, device),
        fmt::format("ask for a property of CUDA device {}", device));
  return value;
}

}  // namespace

std::string runtime_version() {
  int number = 0;
  cudaRuntimeGetVersion(&number);
  return version(number);
}

std::string driver_version() {
  int number = 0;
  cudaDriverGetVersion(&number);
  return number == 0 ? "none" : version(number);
}

std::string describe(const DeviceInfo& device) {
  return fmt::format("{}, sm_{}{}, {:.0f} GiB", device.name, device.major, device.minor,
                     static_cast<double>(device.memory_bytes) / (1 << 30));
}

std::vector<DeviceInfo> devices() {
  int count = 0;
  if (const cudaError_t error = cudaGetDeviceCount(&count); error != cudaSuccess) explain(error);
  if (count == 0) explain(cudaErrorNoDevice);
  std::vector<DeviceInfo> found;
  for (int i = 0; i < count; ++i) {
    cudaDeviceProp properties{};
    check(cudaGetDeviceProperties(&properties, i),
          fmt::format("ask for the properties of CUDA device {}", i));
    found.push_back({i, properties.name, attribute(cudaDevAttrComputeCapabilityMajor, i),
                     attribute(cudaDevAttrComputeCapabilityMinor, i),
                     static_cast<int64_t>(properties.totalGlobalMem),
                     attribute(cudaDevAttrMultiProcessorCount, i)});
  }
  return found;
}

DeviceInfo usable_device(int index) {
  const std::vector<DeviceInfo> found = devices();
  if (index < 0 || index >= static_cast<int>(found.size()))
    throw Error(ErrorKind::Device,
                fmt::format("there is no cuda:{}; this machine has {} GPU{}, cuda:0 to cuda:{}", index,
                            found.size(), found.size() == 1 ? "" : "s", found.size() - 1));
  const DeviceInfo& device = found[static_cast<size_t>(index)];
  if (device.major < kMinMajor)
    throw Error(
        ErrorKind::Device,
        fmt::format(
            "cuda:{}, a {}, has compute capability {}.{}; tyto needs 8.0 (Ampere) or newer. Use --device cpu",
            index, device.name, device.major, device.minor));
  return device;
}

}  // namespace tyto::cuda
