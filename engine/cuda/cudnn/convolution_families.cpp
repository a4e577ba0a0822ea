#include "engine/cuda/cudnn/convolution_families.h"

namespace tyto::cuda {

std::optional<ConvolutionPlan> ConvolutionFamilies::plan(const Cudnn& cudnn, const PlanTarget& target,
                                                         const ConvolutionGraph& graph,
                                                         const ConvolutionSpec& spec, int64_t workspace_limit,
                                                         const std::optional<std::string>& wanted) const {
  const auto family = choices_.find(family_of(spec));
  if (family == choices_.end()) return std::nullopt;
  for (const EngineChoice& choice : family->second) {
    if (wanted && choice.name() != *wanted) continue;
    if (auto plan = plan_of(cudnn, target, graph, spec.precision, workspace_limit, choice)) return plan;
  }
  return std::nullopt;
}

void ConvolutionFamilies::keep(const ConvolutionSpec& spec, const EngineChoice& choice) {
  std::vector<EngineChoice>& choices = choices_[family_of(spec)];
  for (const EngineChoice& kept : choices)
    if (kept.name() == choice.name()) return;
  choices.push_back(choice);
}

}  // namespace tyto::cuda
