// A convolution as a library would run it on the emulated device: the arithmetic of the device, computed by
// oneDNN.
#pragma once

#include <memory>
#include <string>

#include "engine/cuda/convolution.h"

namespace tyto::cuda {

class DeviceConvolution {
 public:
  // Error{Unsupported} where the sizes do not fit together.
  DeviceConvolution(Libraries& libraries, const ConvolutionSpec& spec, std::string name);
  // A fault of the device where the libraries are gone: a descriptor would be destroyed through a freed
  // handle.
  ~DeviceConvolution();
  DeviceConvolution(const DeviceConvolution&) = delete;
  DeviceConvolution& operator=(const DeviceConvolution&) = delete;

  // As Convolution::run. Error{Usage} where a pointer is missing or not aligned, Error{Device} where the
  // first call is captured: the libraries load kernels then. Announces all that it reads and writes, and
  // fills the workspace with rubbish, as a library may.
  void run(const void* x, const void* weights, const void* bias, const void* residual, void* y,
           void* workspace, kernels::Stream stream);

  int64_t workspace_bytes() const;

 private:
  struct Work;
  void expect_libraries(const char* what) const;

  std::shared_ptr<Work> work_;  // the stream's too: what was launched or captured outlives this object
  std::weak_ptr<const bool> libraries_;
  bool loaded_ = false;
};

}  // namespace tyto::cuda
