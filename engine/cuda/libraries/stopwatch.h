// Times work on the GPU, for autotuning.
#pragma once

#include <functional>

#include "engine/cuda/runtime.h"

namespace tyto::cuda {

class Stopwatch {
 public:
  Stopwatch();  // on the current device

  // Median of a few runs, in milliseconds, each after the L2 cache was overwritten, as it is between the
  // layers of a network.
  float time(const std::function<void(cudaStream_t)>& work);

  cudaStream_t stream() const { return stream_; }

 private:
  Stream stream_;
  TimedEvent start_, stop_;
  DeviceBuffer cache_sized_;
};

}  // namespace tyto::cuda
