// The ways in which cuDNN can run a convolution, best first by its own heuristics.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/cuda/cudnn/convolution_graph.h"

namespace tyto::cuda {

// An engine of cuDNN and how its knobs are turned: what a heuristic chooses, and with an operation graph all
// that a plan is made of.
struct EngineChoice {
  int64_t engine = 0;  // its global index
  std::vector<std::pair<cudnnBackendKnobType_t, int64_t>> knobs;
  bool fallback = false;  // only the heuristic of last resort knows it

  std::string name() const;  // "engine 38 {2:1 12:0}"; the same on every run of one version of cuDNN
};

struct ConvolutionPlan {
  Descriptor plan;
  int64_t workspace_bytes = 0;
  EngineChoice choice;
  bool winograd = false;
  bool compiled_at_run_time = false;  // its kernel is compiled when the plan is built, which takes a second

  std::string description() const;  // "engine 38 {2:1 12:0} (winograd)"
};

// Plans are made for the device of a handle or for one described in words, which needs no GPU and no driver.
struct PlanTarget {
  cudnnHandle_t handle = nullptr;
  const Descriptor* device = nullptr;
};

// Asks cuDNN's heuristics, which take milliseconds, and the first time a second: the best `limit` plans of
// engines that the precision, fp32 sums and equal results on every run allow, as far as they build and their
// workspace is within the limit. One that is compiled at run time is taken only where there is no other, and
// alone. Plans refer to the graph, which must outlive them.
std::vector<ConvolutionPlan> best_plans(const Cudnn& cudnn, const PlanTarget& target,
                                        const ConvolutionGraph& graph, Precision precision,
                                        int64_t workspace_limit, size_t limit);

// The plan of a choice that was made for another size, which takes a tenth of a millisecond; null where
// the engine does not serve this graph in this precision and within this workspace.
std::optional<ConvolutionPlan> plan_of(const Cudnn& cudnn, const PlanTarget& target,
                                       const ConvolutionGraph& graph, Precision precision,
                                       int64_t workspace_limit, const EngineChoice& choice);

}  // namespace tyto::cuda
