// A convolution and its epilogue as cuDNN's operation graph.
#pragma once

#include <cstdint>
#include <deque>

#include "engine/cuda/convolution.h"
#include "engine/cuda/cudnn/descriptor.h"

namespace tyto::cuda {

// The tensors that a run binds, by the ids that the graph knows them by.
enum TensorId : int64_t { kX = 1, kWeights, kBias, kResidual, kY };

class ConvolutionGraph {
 public:
  // handle: of the device; null where the graph's plans are made for a described device. Error{Unsupported}
  // names a spec that cuDNN refuses.
  ConvolutionGraph(const Cudnn& cudnn, const ConvolutionSpec& spec, cudnnHandle_t handle);

  const Descriptor& operations() const { return operations_; }

 private:
  std::deque<Descriptor> parts_;  // what the operations are made of
  Descriptor operations_;
};

}  // namespace tyto::cuda
