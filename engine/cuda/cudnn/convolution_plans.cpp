#include "engine/cuda/cudnn/convolution_plans.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <set>
#include <utility>

namespace tyto::cuda {
namespace {

using NumericalNotes = std::vector<cudnnBackendNumericalNote_t>;

// What cuDNN says of an engine.
struct Notes {
  explicit Notes(const Descriptor& engine)
      : numerical(engine.list<cudnnBackendNumericalNote_t>(CUDNN_ATTR_ENGINE_NUMERICAL_NOTE,
                                                           CUDNN_NUMERICAL_NOTE_TYPE_COUNT)),
        behaviour(engine.list<cudnnBackendBehaviorNote_t>(CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE,
                                                          CUDNN_BEHAVIOR_NOTE_TYPE_COUNT)) {}

  bool has(cudnnBackendNumericalNote_t note) const {
    return std::find(numerical.begin(), numerical.end(), note) != numerical.end();
  }
  bool compiled_at_run_time() const {
    return std::find(behaviour.begin(), behaviour.end(), CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION) !=
           behaviour.end();
  }

  NumericalNotes numerical;
  std::vector<cudnnBackendBehaviorNote_t> behaviour;
};

// Whether an engine with these notes computes what the precision promises. Sums are in fp32 and the same on
// every run. fp32 multiplies as fp32; tf32 rounds mantissas alone, where a conversion of the inputs could be
// one to fp16, whose range is smaller. Winograd's transforms grow with the tile: 4x4 multiplies fp32's
// rounding by about five, larger ones and those of 16-bit numbers cost digits.
bool admissible(Precision precision, const Notes& notes) {
  if (notes.has(CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC) ||
      notes.has(CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION) ||
      notes.has(CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS))
    return false;
  if (precision == Precision::Fp32 && notes.has(CUDNN_NUMERICAL_NOTE_TENSOR_CORE)) return false;
  return !notes.has(CUDNN_NUMERICAL_NOTE_WINOGRAD) ||
         (activation_type(precision) == DType::F32 && notes.has(CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_4x4));
}

EngineChoice choice_of(const Descriptor& engine, const Descriptor& config, bool fallback) {
  EngineChoice choice = {engine.get<int64_t>(CUDNN_ATTR_ENGINE_GLOBAL_INDEX), {}, fallback};
  for (const Descriptor& knob : config.list(CUDNN_ATTR_ENGINECFG_KNOB_CHOICES,
                                            CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR, CUDNN_KNOB_TYPE_COUNTS))
    choice.knobs.emplace_back(knob.get<cudnnBackendKnobType_t>(CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE),
                              knob.get<int64_t>(CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE));
  return choice;
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

// Null where cuDNN, or the target, cannot do it after all, or not within this workspace.
std::optional<ConvolutionPlan> build(const Cudnn& cudnn, const PlanTarget& target, const Descriptor& config,
                                     const Notes& notes, int64_t workspace_limit, EngineChoice choice) {
  Descriptor plan(cudnn, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
  plan.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, config);
  if (target.handle) plan.set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, target.handle);
  if (target.device) plan.set(CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, *target.device);
  if (plan.try_finalize() != CUDNN_STATUS_SUCCESS) return std::nullopt;
  const auto workspace = plan.get<int64_t>(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE);
  if (workspace > workspace_limit) return std::nullopt;
  return ConvolutionPlan{std::move(plan), workspace, std::move(choice),
                         notes.has(CUDNN_NUMERICAL_NOTE_WINOGRAD), notes.compiled_at_run_time()};
}

}  // namespace

std::string EngineChoice::name() const {
  std::string turned;
  for (const auto& [knob, value] : knobs)
    turned += fmt::format("{}{}:{}", turned.empty() ? "" : " ", static_cast<int>(knob), value);
  return fmt::format("engine {} {{{}}}", engine, turned);
}

std::string ConvolutionPlan::description() const {
  return choice.name() + (winograd ? " (winograd)" : "") + (choice.fallback ? " (fallback)" : "") +
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
        const Notes notes(engines.at(0));
        if (notes.compiled_at_run_time() != compile || !admissible(precision, notes)) continue;
        EngineChoice choice = choice_of(engines[0], config, mode == CUDNN_HEUR_MODE_FALLBACK);
        if (!seen.insert(choice.name()).second) continue;
        auto plan = build(cudnn, target, config, notes, workspace_limit, std::move(choice));
        if (!plan) continue;
        plans.push_back(std::move(*plan));
        if (plans.size() >= (compile ? 1 : limit)) return plans;
      }
    }
  return plans;
}

std::optional<ConvolutionPlan> plan_of(const Cudnn& cudnn, const PlanTarget& target,
                                       const ConvolutionGraph& graph, Precision precision,
                                       int64_t workspace_limit, const EngineChoice& choice) {
  Descriptor engine(cudnn, CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  engine.set(CUDNN_ATTR_ENGINE_OPERATION_GRAPH, graph.operations())
      .set(CUDNN_ATTR_ENGINE_GLOBAL_INDEX, choice.engine);
  if (target.device) engine.set(CUDNN_ATTR_ENGINE_DEVICEPROP, *target.device);
  if (engine.try_finalize() != CUDNN_STATUS_SUCCESS) return std::nullopt;
  const Notes notes(engine);
  if (!admissible(precision, notes)) return std::nullopt;

  std::deque<Descriptor> knobs;
  std::vector<cudnnBackendDescriptor_t> handles;
  for (const auto& [type, value] : choice.knobs) {
    Descriptor& knob = knobs.emplace_back(cudnn, CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR);
    knob.set(CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, type).set(CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, value).finalize();
    handles.push_back(knob.handle());
  }
  Descriptor config(cudnn, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
  config.set(CUDNN_ATTR_ENGINECFG_ENGINE, engine);
  if (!handles.empty()) config.set_descriptors(CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, handles);
  if (config.try_finalize() != CUDNN_STATUS_SUCCESS) return std::nullopt;
  return build(cudnn, target, config, notes, workspace_limit, choice);
}

}  // namespace tyto::cuda
