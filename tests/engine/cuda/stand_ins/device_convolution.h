// A convolution as a library would run it on the emulated device: the arithmetic of the device, computed by
// oneDNN.
#pragma once

#include <memory>
#include <string>

#include "engine/cuda/convolution.h"
#include "engine/cuda/stand_ins/library_operation.h"

namespace tyto::cuda {

class DeviceConvolution {
 public:
  // Error{Unsupported} where the sizes do not fit together.
  DeviceConvolution(Libraries& libraries, const ConvolutionSpec& spec, const std::string& name);

  // As Convolution::run, and as LibraryOperation::enqueue.
  void run(const void* x, const void* weights, const void* bias, const void* residual, void* y,
           void* workspace, kernels::Stream stream);

  int64_t workspace_bytes() const { return operation_.workspace_bytes(); }

 private:
  struct Work;
  static std::shared_ptr<Work> plan(Libraries& libraries, const ConvolutionSpec& spec,
                                    const std::string& name);

  std::shared_ptr<Work> work_;  // the stream's too: what was launched or captured outlives this object
  LibraryOperation operation_;
};

}  // namespace tyto::cuda
