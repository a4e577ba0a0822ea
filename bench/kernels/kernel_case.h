// A kernel's benchmark: its inputs, what it has to do at least, and how it is run on either device. The
// same cases serve the CPU and CUDA, and scripts/bench-kernels, which compares them with PyTorch's.
#pragma once

#include <chrono>
#include <functional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "bench/kernels/arrays.h"
#include "kernels/common/stream.h"

namespace tyto::bench {

#ifdef TYTO_HAS_CUDA
inline constexpr bool kHasCuda = true;
#else
inline constexpr bool kHasCuda = false;
#endif

// Something done on the CPU, and how many seconds it took: as it says itself, or as a clock around it does.
class CpuRun {
 public:
  CpuRun() = default;

  template <class Run>
  CpuRun(Run run) {
    if constexpr (std::is_void_v<std::invoke_result_t<Run>>)
      seconds_ = [run = std::move(run)] {
        const auto begin = std::chrono::steady_clock::now();
        run();
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
      };
    else
      seconds_ = std::move(run);
  }

  double operator()() const { return seconds_(); }

 private:
  std::function<double()> seconds_;
};

struct Work {
  // What the contract has read and written at least, each value once.
  double bytes = 0;
  // What the definition needs at least: a sum, product, quotient, comparison, root or exponential is one.
  double operations = 0;
  CpuRun cpu;
  // Under `if constexpr (kHasCuda)`, for a build without CUDA has no launchers. It may be captured in a
  // graph.
  std::function<void(kernels::Stream)> cuda;
};

enum class RunsOn { Both, CpuAlone };

struct KernelCase {
  std::string name;  // the kernel's, a slash, and what is special about it
  // Fills the arrays of a device. They outlive the work, of which that device's half will be run.
  std::function<Work(Arrays&)> prepare;
  RunsOn on = RunsOn::Both;
};

using Cases = std::vector<KernelCase>;

Cases all_cases();

// Its families.
void add_attention_cases(Cases&);
void add_bev_backward_cases(Cases&);
void add_bev_index_cases(Cases&);
void add_bev_pool_cases(Cases&);
void add_detection_cases(Cases&);
void add_image_cases(Cases&);
void add_layout_cases(Cases&);
void add_losses_cases(Cases&);
void add_multibox_cases(Cases&);
void add_nms_cases(Cases&);
void add_norm_cases(Cases&);
void add_pooling_cases(Cases&);
void add_projection_cases(Cases&);
void add_retrieval_cases(Cases&);
void add_roi_cases(Cases&);
void add_two_stage_cases(Cases&);

}  // namespace tyto::bench
