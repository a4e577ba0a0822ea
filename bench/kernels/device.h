// The devices that cases are run on.
#pragma once

#include <memory>
#include <string>

#include "bench/kernels/kernel_case.h"
#include "tyto/plan.h"

namespace tyto::bench {

class Device {
 public:
  virtual ~Device() = default;
  virtual std::string name() const = 0;
  virtual Peaks measure_peaks() = 0;  // by the engine's method (tyto/context.h), in fp32
  virtual std::unique_ptr<Arrays> new_arrays() = 0;
  // Prepares work that these arrays were filled for. Then each call does it once and returns its seconds.
  virtual std::function<double()> timed(const Work& work) = 0;
};

// With as many OpenMP threads as the caller's work has; 0: one a physical core.
std::unique_ptr<Device> make_cpu(int threads);

// The first GPU. Error{Device} says what is missing.
std::unique_ptr<Device> make_cuda();

}  // namespace tyto::bench
