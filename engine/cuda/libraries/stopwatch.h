// Times work on the GPU, for autotuning.
#pragma once

#include <functional>

#include "engine/cuda/runtime.h"

namespace tyto::cuda {

class Stopwatch {
 public:
  Stopwatch();  // on the current device

  // Median of a few runs, in milliseconds, each after the L2 cache was overwritten, as it is between the layers of a
  // network.
  float time(const std::function<void(cudaStream_t)>& work);

  cudaStream_t stream() const { return stream_; }

 private:
  struct DestroyEvent {
    void operator()(cudaEvent_t event) const { cudaEventDestroy(event); }
  };
  using Mark =
      std::unique_ptr<std::remove_pointer_t<cudaEvent_t>, DestroyEvent>;  // an event that knows its time

  static Mark make_mark();

  Stream stream_;
  Mark start_, stop_;
  DeviceBuffer cache_sized_;
};

}  // namespace tyto::cuda
