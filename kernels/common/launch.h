// The one way to start a kernel: launch<kernel>({grid, block, shared_bytes, stream}, arguments...).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "kernels/common/cuda.h"
#include "kernels/common/device_error.h"

namespace tyto::kernels {

// What a launch has to compute beside tensor cores, counted by hand from the contract, for bench/predict; 0
// is not said. A GPU is told nothing of it.
struct ScalarWork {
  double operations = 0;    // of the FP32 units: a sum, a product, or both fused
  double exponentials = 0;  // of the special function units, roots and quotients too
};

struct LaunchConfig {
  dim3 grid, block;
  size_t shared_bytes = 0;  // dynamic
  cudaStream_t stream = nullptr;
  ScalarWork work = {};
};

// "class_scores_kernel<float>": without namespaces.
template <auto Kernel>
std::string kernel_name() {
  const std::string_view pretty =
      __PRETTY_FUNCTION__;  // "... [with auto Kernel = a::(anonymous)::name<X>; ..."
  size_t begin = pretty.find("Kernel = ") + 9, end = begin, depth = 0;
  for (; end < pretty.size(); ++end) {
    const char c = pretty[end];
    if (depth == 0 && (c == ';' || c == ']')) break;
    if (c == '<' || c == '(' || c == '{' || c == '[') ++depth;
    if (c == '>' || c == ')' || c == '}' || c == ']') --depth;
    if (depth == 0 && c == ':') begin = end + 1;
  }
  return std::string(pretty.substr(begin, end - begin));
}

// Blocks of `block` threads for `threads` threads; DeviceError where a grid cannot hold them.
inline unsigned blocks_for(int64_t threads, int block) {
  const int64_t blocks = (threads + block - 1) / block;
  if (blocks > INT32_MAX)
    throw DeviceError("a launch of " + std::to_string(threads) +
                      " threads exceeds the grid; use a smaller batch");
  return static_cast<unsigned>(blocks);
}

// The size as the int that a kernel indexes with; DeviceError where it does not fit.
inline int checked_int(int64_t size, const char* what) {
  if (size < 0 || size > INT32_MAX)
    throw DeviceError(std::string(what) + " of " + std::to_string(size) +
                      " exceeds 2^31 - 1; use a smaller batch");
  return static_cast<int>(size);
}

namespace detail {

inline std::string text(const dim3& d) {
  return std::to_string(d.x) + " x " + std::to_string(d.y) + " x " + std::to_string(d.z);
}

inline void check_launch(cudaError_t error, const std::string& kernel, const LaunchConfig& config) {
  if (error == cudaSuccess) return;
  throw DeviceError("kernel " + kernel + " (grid " + text(config.grid) + ", block " + text(config.block) +
                    ", " + std::to_string(config.shared_bytes) +
                    " bytes of shared memory): " + cudaGetErrorString(error));
}

}  // namespace detail

#ifdef TYTO_EMULATED
// Every kernel that the program can launch is known before it runs.
namespace detail {

template <auto Kernel>
struct Registration {
  static inline emulation::KernelEntry& entry = emulation::register_kernel(kernel_name<Kernel>());
};

}  // namespace detail
#endif

// Asynchronous. A grid without blocks is no work and no launch. DeviceError names the kernel and its launch.
template <auto Kernel, class... Arguments>
void launch(const LaunchConfig& config, Arguments&&... arguments) {
  if (config.grid.x == 0 || config.grid.y == 0 || config.grid.z == 0) return;
#ifdef TYTO_EMULATED
  detail::check_launch(emulation::enqueue<Kernel>(detail::Registration<Kernel>::entry, config.grid,
                                                  config.block, config.shared_bytes, config.stream,
                                                  {config.work.operations, config.work.exponentials},
                                                  std::forward<Arguments>(arguments)...),
                       kernel_name<Kernel>(), config);
#else
  constexpr size_t kWithoutAsking = 48 << 10;  // of dynamic shared memory
  if (config.shared_bytes > kWithoutAsking)
    detail::check_launch(cudaFuncSetAttribute(reinterpret_cast<const void*>(Kernel),
                                              cudaFuncAttributeMaxDynamicSharedMemorySize,
                                              static_cast<int>(config.shared_bytes)),
                         kernel_name<Kernel>(), config);
  cudaLaunchConfig_t launched{};
  launched.gridDim = config.grid;
  launched.blockDim = config.block;
  launched.dynamicSmemBytes = config.shared_bytes;
  launched.stream = config.stream;
  detail::check_launch(cudaLaunchKernelEx(&launched, Kernel, std::forward<Arguments>(arguments)...),
                       kernel_name<Kernel>(), config);
#endif
}

}  // namespace tyto::kernels
