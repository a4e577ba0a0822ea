// What was chosen for the convolutions of a context: a size after the first needs no heuristics.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/cuda/cudnn/convolution_plans.h"

namespace tyto::cuda {

class ConvolutionFamilies {
 public:
  // By the first of the family's choices, in the order in which they were made, that serves this size within
  // this workspace; null where none does. wanted: the name of the one that is to be taken, and no other.
  std::optional<ConvolutionPlan> plan(const Cudnn& cudnn, const PlanTarget& target,
                                      const ConvolutionGraph& graph, const ConvolutionSpec& spec,
                                      int64_t workspace_limit,
                                      const std::optional<std::string>& wanted = std::nullopt) const;

  void keep(const ConvolutionSpec& spec, const EngineChoice& choice);

 private:
  std::map<ConvolutionSpec, std::vector<EngineChoice>> choices_;  // by family
};

}  // namespace tyto::cuda
