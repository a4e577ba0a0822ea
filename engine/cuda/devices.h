// The GPUs of this machine, and whether tyto can use them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tyto::cuda {

struct DeviceInfo {
  int index = 0;
  std::string name;          // "NVIDIA H100 PCIe"
  int major = 0, minor = 0;  // compute capability
  int64_t memory_bytes = 0;
  int multiprocessors = 0;
};

inline constexpr int kMinMajor = 8;  // Ampere

// Error{Device} where there is no driver, an older one than this build's CUDA needs, or no GPU. The sentence
// says which.
std::vector<DeviceInfo> devices();

std::string describe(const DeviceInfo&);  // "NVIDIA H100 PCIe, sm_90, 80 GiB"

// Of CUDA, "13.0": this build's runtime, and the newest that the driver serves ("none" without a driver).
std::string runtime_version();
std::string driver_version();

// Error{Device} where the GPU of that number is not there or is too old; it names the GPU.
DeviceInfo usable_device(int index);

}  // namespace tyto::cuda
