// GPUs in the words in which cuDNN describes one (CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION), by their public
// numbers.
#pragma once

#include <fmt/format.h>

#include <ostream>
#include <string>

namespace tyto::cuda {

struct GpuNumbers {
  const char* name;
  int compute_capability;  // 80
  int multiprocessors, clock_mhz, memory_clock_mhz;
  int l2_bytes;
  int shared_bytes;  // that a block may ask for
};

inline void PrintTo(const GpuNumbers& gpu, std::ostream* out) { *out << gpu.name; }  // for GoogleTest

constexpr GpuNumbers kA100 = {"NVIDIA A100-SXM4-80GB", 80, 108, 1410, 1593, 40 << 20, 163 << 10};
constexpr GpuNumbers kH100 = {"NVIDIA H100 80GB HBM3", 90, 132, 1980, 2619, 50 << 20, 227 << 10};

inline std::string description(const GpuNumbers& gpu) {
  return fmt::format(
      R"({{"cudaDeviceId": 0, "deviceName": "{}", "deviceVer": {}, "driverVer": 13000, "multiProcessorCount": {},)"
      R"( "smClockRateKHz": {}, "memClockRateKHz": {}, "l2CacheSize": {}, "maxSharedMemoryPerBlockOptin": {},)"
      R"( "maxSharedMemoryPerBlock": 49152, "reservedSharedMemoryPerBlock": 1024, "totalGlobalMem": 85899345920,)"
      R"( "maxGridSize": [2147483647, 65535, 65535], "maxBlockSize": [1024, 1024, 64], "warpSize": 32,)"
      R"( "regsPerBlock": 65536, "maxRegistersPerSM": 65536, "maxCtasPerSM": 32, "maxThreadsPerBlock": 1024,)"
      R"( "maxThreadsPerSM": 2048, "pciDeviceId": 0, "isTccDriver": 0, "supportCoopLaunch": 1}})",
      gpu.name, gpu.compute_capability * 10, gpu.multiprocessors, gpu.clock_mhz * 1000,
      gpu.memory_clock_mhz * 1000, gpu.l2_bytes, gpu.shared_bytes);
}

}  // namespace tyto::cuda
