// The ways in which cuDNN can run a convolution, best first by its own heuristics.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/cuda/cudnn/convolution_graph.h"

namespace tyto::cuda {

struct ConvolutionPlan {
  Descriptor plan;
  int64_t workspace_bytes = 0;
  std::string engine;  // "engine 38 {2:1 12:0}" with its knobs; the same on every run of one version of cuDNN
  bool winograd = false;
  bool fallback = false;              // only the heuristic of last resort knows it
  bool compiled_at_run_time = false;  // its kernel is compiled when the plan is built, which takes a second

  std::string description() const;  // "engine 38 {2:1 12:0} (winograd)"
};

// Plans are made for the device of a handle or for one described in words, which needs no GPU and no driver.
struct PlanTarget {
  cudnnHandle_t handle = nullptr;
  const Descriptor* device = nullptr;
};

// The best `limit` plans of engines that the precision, fp32 sums and equal results on every run allow, as
// far as they build and their workspace is within the limit. One that is compiled at run time is taken only
// where there is no other, and alone. Plans refer to the graph, which must outlive them.
std::vector<ConvolutionPlan> best_plans(const Cudnn& cudnn, const PlanTarget& target,
                                        const ConvolutionGraph& graph, Precision precision,
                                        int64_t workspace_limit, size_t limit);

}  // namespace tyto::cuda
