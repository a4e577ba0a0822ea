#include "engine/cuda/cudnn/convolution_plans.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

namespace tyto::cuda {
namespace {

using Notes = std::vector<cudnnBackendNumericalNote_t>;

template <class Note>
bool has(const std::vector<Note>& notes, Note note) {
  return std::find(notes.begin(), notes.end(), note) != notes.end();
}

// Whether an engine with these notes computes what the precision promises. Sums are in fp32 and the same on
// every run. fp32 multiplies as fp32; tf32 rounds mantissas alone, where a conversion of the inputs could be
// one to fp16, whose range is smaller. Winograd's transforms grow with the tile: 4x4 multiplies fp32's
// rounding by about five, larger ones and those of 16-bit numbers cost digits.
bool admissible(Precision precision, const Notes& notes) {
  if (has(notes, CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC) ||
      has(notes, CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION) ||
      has(notes, CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS))
    return false;
  if (precision == Precision::Fp32 && has(notes, CUDNN_NUMERICAL_NOTE_TENSOR_CORE)) return false;
  return !has(notes, CUDNN_NUMERICAL_NOTE_WINOGRAD) ||
         (activation_type(precision) == DType::F32 && has(notes, CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_4x4));
}

std::string knobs_of(const Descriptor& config) {
  std::string knobs;
  for (const Descriptor& choice : config.list(CUDNN_ATTR_ENGINECFG_KNOB_CHOICES,
                                              CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR, CUDNN_KNOB_TYPE_COUNTS))
    knobs +=
        fmt::format("{}{}:{}", knobs.empty() ? "" : " ",
                    static_cast<int>(choice.get<cudnnBackendKnobType_t>(CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE)),
                    choice.get<int64_t>(CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE));
  return knobs;
}

// What a heuristic proposes, best first.
std::vector<Descriptor> propose(const Cudnn& cudnn, const PlanTarget& target, const ConvolutionGraph& graph,
                                cudnnBackendHeurMode_t mode) {
  Descriptor heuristic(cudnn, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  heuristic.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph.operations())
      .set(CUDNN_ATTR_ENGINEHEUR_MODE, mode);
  if (target.device) heuristic.set(CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, *target.device);
  if (heuristic.try_finalize() != CUDNN_STATUS_SUCCESS) return {};  // it knows nothing of such a graph
  return heuristic.list(CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR,
                        heuristic.count(CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR));
}

// Null where cuDNN, or the target, cannot do it after all.
std::optional<Descriptor> build(const Cudnn& cudnn, const PlanTarget& target, const Descriptor& config) {
  Descriptor plan(cudnn, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
  plan.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, config);
  if (target.handle) plan.set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, target.handle);
  if (target.device) plan.set(CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, *target.device);
  if (plan.try_finalize() != CUDNN_STATUS_SUCCESS) return std::nullopt;
  return plan;
}

}  // namespace

std::string ConvolutionPlan::description() const {
  return engine + (winograd ? " (winograd)" : "") + (fallback ? " (fallback)" : "") +
         (compiled_at_run_time ? " (compiled at run time)" : "");
}

std::vector<ConvolutionPlan> best_plans(const Cudnn& cudnn, const PlanTarget& target,
                                        const ConvolutionGraph& graph, Precision precision,
                                        int64_t workspace_limit, size_t limit) {
  std::vector<ConvolutionPlan> plans;
  std::set<std::string> seen;
  for (const bool compile : {false, true})
    for (const auto mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK}) {
      if (plans.size() >= (compile ? 1 : limit)) return plans;
      for (const Descriptor& config : propose(cudnn, target, graph, mode)) {
        const auto engines = config.list(CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_BACKEND_ENGINE_DESCRIPTOR, 1);
        const Descriptor& engine = engines.at(0);
        const auto notes = engine.list<cudnnBackendNumericalNote_t>(CUDNN_ATTR_ENGINE_NUMERICAL_NOTE,
                                                                    CUDNN_NUMERICAL_NOTE_TYPE_COUNT);
        const auto behaviour = engine.list<cudnnBackendBehaviorNote_t>(CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE,
                                                                       CUDNN_BEHAVIOR_NOTE_TYPE_COUNT);
        const bool compiled = has(behaviour, CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION);
        if (compiled != compile || !admissible(precision, notes)) continue;
        std::string name = fmt::format("engine {} {{{}}}",
                                       engine.get<int64_t>(CUDNN_ATTR_ENGINE_GLOBAL_INDEX), knobs_of(config));
        if (!seen.insert(name).second) continue;
        auto plan = build(cudnn, target, config);
        if (!plan) continue;
        const auto workspace = plan->get<int64_t>(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE);
        if (workspace > workspace_limit) continue;
        plans.push_back({std::move(*plan), workspace, std::move(name),
                         has(notes, CUDNN_NUMERICAL_NOTE_WINOGRAD), mode == CUDNN_HEUR_MODE_FALLBACK,
                         compiled});
        if (plans.size() >= (compile ? 1 : limit)) return plans;
      }
    }
  return plans;
}

}  // namespace tyto::cuda
