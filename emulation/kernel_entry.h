// One kernel that the program holds, and how a launch of it reaches the emulated device.
#pragma once

#include <driver_types.h>
#include <vector_types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <utility>

namespace emulation {

struct KernelEntry {
  std::string name;  // "class_scores_kernel<float>"
  int64_t launches = 0;
};

KernelEntry& register_kernel(std::string name);  // for the life of the program

// What who launches says of its scalar arithmetic.
struct StatedWork {
  double operations = 0, exponentials = 0;
};

struct LaunchRequest {
  KernelEntry* kernel = nullptr;
  dim3 grid, block;
  size_t shared_bytes = 0;
  std::function<void()> body;             // one thread's work: the kernel with its arguments
  std::shared_ptr<const void> arguments;  // where they are kept: constant memory, to the instrument
  size_t argument_bytes = 0;
  StatedWork work = {};
};

// Runs all blocks now, one after the other, under the schedule. Throws Fault. (Defined by the core.)
void execute(const LaunchRequest& request);

// What execute throws.
struct Fault {
  std::string message;
};

// Gives the work to a stream; checks the launch's limits at once. (Defined by the runtime.)
cudaError_t enqueue(LaunchRequest request, cudaStream_t stream);

namespace detail {

template <class... Parameters, class... Arguments>
auto keep(void (*)(Parameters...), Arguments&&... arguments) {
  return std::make_shared<const std::tuple<std::remove_cv_t<Parameters>...>>(
      std::forward<Arguments>(arguments)...);
}

}  // namespace detail

template <auto Kernel, class... Arguments>
cudaError_t enqueue(KernelEntry& entry, dim3 grid, dim3 block, size_t shared_bytes, cudaStream_t stream,
                    StatedWork work, Arguments&&... arguments) {
  const auto kept = detail::keep(Kernel, std::forward<Arguments>(arguments)...);
  const auto* const values = kept.get();
  return enqueue({&entry, grid, block, shared_bytes, [values] { std::apply(Kernel, *values); }, kept,
                  sizeof(*values), work},
                 stream);
}

}  // namespace emulation
