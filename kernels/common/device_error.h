// What a CUDA launcher throws.
#pragma once

#include <stdexcept>
#include <string>

namespace tyto::kernels {

// what() names the kernel and its launch, and CUDA's reason.
class DeviceError : public std::runtime_error {
 public:
  explicit DeviceError(const std::string& message) : std::runtime_error(message) {}
};

}  // namespace tyto::kernels
