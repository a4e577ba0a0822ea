// A convolution as a library would run it on the emulated device: the arithmetic of the device, computed by oneDNN.
#pragma once

#include <memory>
#include <string>

#include "engine/cuda/convolution.h"

namespace tyto::cuda {

class DeviceConvolution {
 public:
  // Error{Unsupported} where the sizes do not fit together.
  DeviceConvolution(Libraries& libraries, const ConvolutionSpec& spec, std::string name);

  // As Convolution::run. Error{Usage} where a pointer is missing or not aligned. Announces all that it reads and
  // writes, and fills the workspace with rubbish, as a library may.
  void run(const void* x, const void* weights, const void* bias, const void* residual, void* y,
           void* workspace, kernels::Stream stream);

  int64_t workspace_bytes() const;

 private:
  struct Work;
  std::shared_ptr<Work> work_;  // the stream's too: what was launched or captured outlives this object
};

}  // namespace tyto::cuda
